//! The generator of test vectors' inputs: the same bytes on every machine from a seed.

use crate::DType;

/// The generator's name in plans.
pub const SPLITMIX64: &str = "splitmix64";

/// Sebastiano Vigna's SplitMix64 (public domain, <https://prng.di.unimi.it/splitmix64.c>).
#[derive(Clone, Copy, Debug)]
pub struct SplitMix64(pub u64);

impl SplitMix64 {
    /// The next 64 bits.
    pub const fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Fills a tensor, one draw an element: 8- and 16-bit integers take the low bits, wider ones a
    /// number from 0 to 15, `f32` the 24 high bits as a number in [-1, 1), `bool` the lowest bit.
    /// False when the type has no rule; `out` is then as it was.
    pub fn fill(&mut self, dtype: DType, out: &mut [u8]) -> bool {
        match dtype {
            DType::I8 | DType::U8 => out.fill_with(|| self.draw() as u8),
            DType::Bool => out.fill_with(|| (self.draw() & 1) as u8),
            DType::I16 | DType::U16 => {
                for bytes in out.as_chunks_mut::<2>().0 {
                    *bytes = (self.draw() as u16).to_le_bytes();
                }
            }
            DType::I32 | DType::U32 => {
                for bytes in out.as_chunks_mut::<4>().0 {
                    *bytes = ((self.draw() & 15) as u32).to_le_bytes();
                }
            }
            DType::I64 | DType::U64 => {
                for bytes in out.as_chunks_mut::<8>().0 {
                    *bytes = (self.draw() & 15).to_le_bytes();
                }
            }
            DType::F32 => {
                for bytes in out.as_chunks_mut::<4>().0 {
                    let steps = (self.draw() >> 40) as f32;
                    *bytes = (steps / 8_388_608.0 - 1.0).to_le_bytes();
                }
            }
            _ => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_sequence() {
        // First outputs for seed 1234567, as the reference implementation prints them.
        let mut generator = SplitMix64(1_234_567);
        assert_eq!(generator.draw(), 6_457_827_717_110_365_317);
        assert_eq!(generator.draw(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn floats_stay_in_range() {
        let mut out = [0u8; 4000];
        assert!(SplitMix64(1).fill(DType::F32, &mut out));
        let values = out.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        assert!(values.into_iter().all(|value| (-1.0..1.0).contains(&value)));
    }
}
