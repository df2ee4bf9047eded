//! Damaged and inconsistent plans end in a typed error: no panic, no long run.

mod plans;

use std::time::Instant;

use embarca_compile::plan_writer::write;
use embarca_plan::memory::Block;
use embarca_plan::{OpenError, Plan, SectionKind};
use plans::{Buffer, repair, sections};

/// Opens a plan and, when that succeeds, looks at all there is.
fn look(bytes: &[u8]) -> Result<usize, OpenError> {
    let plan = Plan::open(bytes)?;
    let _ = plan.verify();
    let mut seen = plan.memory().len();
    for port in plan.interface().inputs().chain(plan.interface().outputs()) {
        seen += port.dims().len() + port.axes().flatten().count();
        seen += port.name().map_or(0, str::len) + port.quant().map_or(0, |q| q.scales.len());
    }
    seen += plan.interface().profiles().map(|(_, values)| values.len()).sum::<usize>();
    for properties in [plan.task(), plan.provenance()].into_iter().flatten() {
        seen += properties.iter().filter(|(key, _)| properties.get(key).is_some()).count();
    }
    seen += plan.vectors().map_or(0, |vectors| vectors.iter().len());
    for (number, program) in plan.programs().enumerate() {
        let mut symbols = vec![0; program.common.symbols.len()];
        let mut values = vec![0; program.common.exprs.len()];
        let preferred = program.common.symbols.iter().map(|symbol| symbol.preferred);
        symbols.iter_mut().zip(preferred).for_each(|(value, preferred)| *value = preferred);
        let sized = program.evaluate(&symbols, &mut values).is_ok()
            && plan.check_sizes(number, &values).is_ok();
        assert!(sized || program.is_dynamic());
        seen += program.kernels().count() + program.states().filter_map(|s| s.name()).count();
        for function in program.functions() {
            seen += function.inputs().len() + function.outputs().len();
            let mut blocks = vec![Block::default(); function.tensors().count()];
            let _ = function.blocks(&values, &mut blocks);
            for tensor in function.tensors() {
                let location = tensor.location(&values);
                assert!(location.is_some() || !sized);
                seen += tensor.quant().map_or(0, |quant| quant.scales.len());
            }
            for step in function.steps() {
                let tensors = step.inputs().flatten().chain(step.outputs().iter().copied());
                for tensor in tensors {
                    assert!(function.tensor_range().contains(&tensor));
                    seen += program.tensor(tensor).unwrap().rank();
                }
                seen += step.record().len() + step.custom().map_or(0, |c| c.bytes.len());
                if let Some(control) = step.control() {
                    assert!((control.callees().0 as usize) < program.function_count());
                }
            }
        }
    }
    Ok(seen)
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

#[test]
fn every_truncation_is_refused() {
    for (name, source) in plans::all() {
        let bytes = write(&source).unwrap();
        let mut buffer = Buffer::new(&bytes);
        assert!(look(buffer.bytes()).unwrap() > 0, "{name}");
        for cut in 0..bytes.len() {
            assert!(look(&buffer.bytes()[..cut]).is_err(), "{name} cut at {cut}");
        }
        // Also when header and checksums say that the file ends there.
        for cut in (32..bytes.len()).step_by(7) {
            buffer.bytes_mut().copy_from_slice(&bytes);
            let cut_bytes = &mut buffer.bytes_mut()[..cut];
            cut_bytes[16..24].copy_from_slice(&(cut as u64).to_le_bytes());
            repair(cut_bytes);
            assert!(look(cut_bytes).is_err(), "{name} cut and repaired at {cut}");
        }
    }
}

#[test]
fn flipped_bits_are_refused_or_harmless() {
    let start = Instant::now();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let (mut accepted, mut refused) = (0, 0);
    for (name, source) in plans::all() {
        let bytes = write(&source).unwrap();
        let weights = sections(&bytes).pop().unwrap();
        let mut buffer = Buffer::new(&bytes);
        for round in 0..4000 {
            buffer.bytes_mut().copy_from_slice(&bytes);
            let (bit, repaired) = (random.below(bytes.len() * 8), round % 2 == 1);
            for _ in 0..=random.below(3) * (round % 4 / 2) {
                let bit = random.below(bytes.len() * 8);
                buffer.bytes_mut()[bit / 8] ^= 1 << (bit % 8);
            }
            buffer.bytes_mut()[bit / 8] ^= 1 << (bit % 8);
            if repaired {
                repair(buffer.bytes_mut());
                match look(buffer.bytes()) {
                    Ok(_) => accepted += 1,
                    Err(_) => refused += 1,
                }
            } else {
                let read = look(buffer.bytes())
                    .and_then(|_| Plan::open(buffer.bytes()).and_then(|plan| plan.verify()));
                let same = buffer.bytes() == bytes;
                assert!(read.is_err() || same, "{name}: damage went unnoticed");
            }
        }
        assert_eq!(weights.1, SectionKind::WEIGHTS.0);
    }
    assert!(accepted > 500 && refused > 2000, "{accepted} accepted, {refused} refused");
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
}

#[test]
fn words_set_to_extremes_are_refused_or_harmless() {
    let start = Instant::now();
    for (name, source) in plans::all() {
        let bytes = write(&source).unwrap();
        let mut buffer = Buffer::new(&bytes);
        let weights = sections(&bytes).pop().unwrap().2;
        for at in (0..weights.min(bytes.len() - 4)).step_by(4) {
            let old = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
            for new in [0, 1, old ^ 1, old.wrapping_add(1), 1 << 31, u32::MAX - 1, u32::MAX] {
                buffer.bytes_mut().copy_from_slice(&bytes);
                buffer.bytes_mut()[at..at + 4].copy_from_slice(&new.to_le_bytes());
                repair(buffer.bytes_mut());
                let _ = look(buffer.bytes());
            }
        }
        assert!(start.elapsed().as_secs() < 10, "{name} {:?}", start.elapsed());
    }
}
