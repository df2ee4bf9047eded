//! Just enough of two instruction sets: lengths, calls, the stack pointer, loads and stores, traps.

/// What an instruction does, as far as it matters here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Insn {
    /// Bytes.
    pub len: u32,
    /// Bytes by which it lowers the stack pointer.
    pub push: u32,
    /// Words that it loads.
    pub loads: u32,
    /// Words that it stores.
    pub stores: u32,
    /// Where it goes.
    pub flow: Flow,
}

/// Where an instruction goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// To the next one, or somewhere in its function.
    #[default]
    On,
    /// To a function that returns.
    Call(u32),
    /// To a function that is told by a register, and returns.
    CallRegister,
    /// Somewhere, for good.
    Jump(u32),
    /// To a place that is told by a register, for good; also the return.
    JumpRegister,
    /// To nobody: it stops the core.
    Trap,
}

/// Sign-extends the low `bits` of a number.
fn signed(value: u32, bits: u32) -> u32 {
    let gap = 32 - bits;
    ((value << gap).cast_signed() >> gap).cast_unsigned()
}

/// A Thumb instruction at an address.
pub fn thumb(address: u32, first: u16, second: u16) -> Insn {
    let h = u32::from(first);
    if h >> 11 < 0b11101 {
        return Insn { len: 2, ..thumb16(address, h) };
    }
    Insn { len: 4, ..thumb32(address, h, u32::from(second)) }
}

fn thumb16(address: u32, h: u32) -> Insn {
    let mut insn = Insn::default();
    let list = (h & 0xff).count_ones();
    let here = address.wrapping_add(4);
    match h >> 8 {
        // Loads: of a literal, by register, by offset; words, bytes, halves.
        0x48..=0x4f | 0x56..=0x5f | 0x68..=0x6f | 0x78..=0x7f | 0x88..=0x8f | 0x98..=0x9f => {
            insn.loads = 1;
        }
        0x50..=0x55 | 0x60..=0x67 | 0x70..=0x77 | 0x80..=0x87 | 0x90..=0x97 => insn.stores = 1,
        0xb0 if h & 0x80 != 0 => insn.push = (h & 0x7f) * 4,
        0xb4 | 0xb5 => {
            insn.stores = list + (h >> 8 & 1);
            insn.push = insn.stores * 4;
        }
        0xbc | 0xbd => {
            insn.loads = list + (h >> 8 & 1);
            insn.flow = if h >> 8 == 0xbd { Flow::JumpRegister } else { Flow::On };
        }
        0xc0..=0xc7 => insn.stores = list,
        0xc8..=0xcf => insn.loads = list,
        0xbe | 0xde => insn.flow = Flow::Trap,
        0x47 => {
            insn.flow = if h & 0x80 != 0 { Flow::CallRegister } else { Flow::JumpRegister };
        }
        0xe0..=0xe7 => {
            insn.flow = Flow::Jump(here.wrapping_add(signed(h & 0x7ff, 11).wrapping_mul(2)));
        }
        _ => {}
    }
    insn
}

fn thumb32(address: u32, h: u32, l: u32) -> Insn {
    let mut insn = Insn::default();
    let here = address.wrapping_add(4);
    // BL and B.W: the target in halves of both.
    if h >> 11 == 0b11110 && l & 0x9000 == 0x9000 {
        let s = h >> 10 & 1;
        let (i1, i2) = (1 ^ (l >> 13 & 1) ^ s, 1 ^ (l >> 11 & 1) ^ s);
        let offset = s << 24 | i1 << 23 | i2 << 22 | (h & 0x3ff) << 12 | (l & 0x7ff) << 1;
        let to = here.wrapping_add(signed(offset, 25));
        insn.flow = if l & 0x4000 != 0 { Flow::Call(to) } else { Flow::Jump(to) };
        return insn;
    }
    if h & 0xfff0 == 0xf7f0 && l & 0xf000 == 0xa000 {
        insn.flow = Flow::Trap;
        return insn;
    }
    match h >> 8 {
        // Several registers; of two, LDRD and STRD and the exclusive ones.
        0xe8 | 0xe9 => {
            let load = h & 0x10 != 0;
            let words = if h & 0x40 == 0 { l.count_ones() } else { 2 };
            let table = h & 0xfff0 == 0xe8d0 && l & 0xf0e0 == 0xf000;
            let words = if table { 1 } else { words };
            if load {
                insn.loads = words
            } else {
                insn.stores = words
            }
            // STMDB SP!, STRD [SP, #-n]!
            if h & 0xffff == 0xe92d {
                insn.push = words * 4;
            } else if h & 0xff7f == 0xe96d {
                insn.push = (l & 0xff) * 4;
            }
            if load && h & 0x40 == 0 && l & 0x8000 != 0 {
                insn.flow = Flow::JumpRegister;
            }
        }
        0xf8 | 0xf9 => {
            let load = h & 0x10 != 0;
            if load {
                insn.loads = 1
            } else {
                insn.stores = 1
            }
            // STR Rt, [SP, #-n]!
            if h == 0xf84d && l & 0xf00 == 0xd00 {
                insn.push = l & 0xff;
            }
        }
        // VLDM, VSTM, VLDR, VSTR of floating-point registers and of Helium.
        0xec | 0xed | 0xfc | 0xfd if l & 0xe00 == 0xa00 || l & 0x1e00 == 0x1e00 => {
            let helium = l & 0x1e00 == 0x1e00;
            let single = h & 0x120 == 0x100 && !helium;
            let words = match (helium, single) {
                (true, _) => 4,
                (_, true) => 1 + (l >> 8 & 1),
                _ => l & 0xff,
            };
            if h & 0x10 != 0 {
                insn.loads = words
            } else {
                insn.stores = words
            }
            if h & 0xffbf == 0xed2d {
                insn.push = (l & 0xff) * 4;
            }
        }
        // SUB SP, SP, #n as a modified or a plain immediate.
        _ if h & 0xfbff == 0xf1ad && l & 0x8f00 == 0x0d00 => {
            insn.push = immediate((h >> 10 & 1) << 11 | (l >> 12 & 7) << 8 | l & 0xff);
        }
        _ if h & 0xfbff == 0xf2ad && l & 0x8f00 == 0x0d00 => {
            insn.push = (h >> 10 & 1) << 11 | (l >> 12 & 7) << 8 | l & 0xff;
        }
        _ => {}
    }
    insn
}

/// A modified immediate of Thumb.
fn immediate(code: u32) -> u32 {
    let byte = code & 0xff;
    match code >> 8 {
        0 => byte,
        1 => byte << 16 | byte,
        2 => byte << 24 | byte << 8,
        3 => byte * 0x0101_0101,
        _ => (byte & 0x7f | 0x80).rotate_right(code >> 7),
    }
}

/// A RISC-V instruction (RV32IMC) at an address. `before` is the one before it: calls of far
/// functions take two.
pub fn riscv(address: u32, word: u32, before: u32) -> Insn {
    if word & 3 != 3 {
        return Insn { len: 2, ..compressed(address, word & 0xffff) };
    }
    let mut insn = Insn { len: 4, ..Insn::default() };
    let (rd, rs1) = (word >> 7 & 31, word >> 15 & 31);
    match word & 0x7f {
        0x03 => insn.loads = 1,
        0x23 => insn.stores = 1,
        0x13 if word >> 12 & 7 == 0 && rd == 2 && rs1 == 2 => {
            let by = signed(word >> 20, 12).cast_signed();
            insn.push = by.min(0).unsigned_abs();
        }
        0x6f => {
            let offset = (word >> 31) << 20
                | (word >> 12 & 0xff) << 12
                | (word >> 20 & 1) << 11
                | (word >> 21 & 0x3ff) << 1;
            let to = address.wrapping_add(signed(offset, 21));
            insn.flow = if rd == 1 { Flow::Call(to) } else { Flow::Jump(to) };
        }
        0x67 => {
            // AUIPC before it, into the register that is jumped to.
            let far = before & 0x7f == 0x17 && before >> 7 & 31 == rs1;
            let to = address
                .wrapping_sub(4)
                .wrapping_add(before & 0xffff_f000)
                .wrapping_add(signed(word >> 20, 12));
            insn.flow = match (rd == 1, far) {
                (true, true) => Flow::Call(to),
                (true, false) => Flow::CallRegister,
                (false, true) => Flow::Jump(to),
                (false, false) => Flow::JumpRegister,
            };
        }
        0x73 if word == 0x0010_0073 || word == 0xc000_1073 => insn.flow = Flow::Trap,
        _ => {}
    }
    insn
}

fn compressed(address: u32, h: u32) -> Insn {
    let mut insn = Insn::default();
    match (h & 3, h >> 13) {
        (0, 2 | 3) | (2, 2 | 3) => insn.loads = 1,
        (0, 6 | 7) | (2, 6 | 7) => insn.stores = 1,
        (0, 0) if h == 0 => insn.flow = Flow::Trap,
        // C.ADDI SP and C.ADDI16SP.
        (1, 0) if h >> 7 & 31 == 2 => {
            insn.push =
                signed((h >> 12 & 1) << 5 | h >> 2 & 31, 6).cast_signed().min(0).unsigned_abs();
        }
        (1, 3) if h >> 7 & 31 == 2 => {
            let by = (h >> 12 & 1) << 9
                | (h >> 3 & 3) << 7
                | (h >> 5 & 1) << 6
                | (h >> 2 & 1) << 5
                | (h >> 6 & 1) << 4;
            insn.push = signed(by, 10).cast_signed().min(0).unsigned_abs();
        }
        (1, 1 | 5) => {
            let offset = (h >> 12 & 1) << 11
                | (h >> 8 & 1) << 10
                | (h >> 9 & 3) << 8
                | (h >> 6 & 1) << 7
                | (h >> 7 & 1) << 6
                | (h >> 2 & 1) << 5
                | (h >> 11 & 1) << 4
                | (h >> 3 & 7) << 1;
            let to = address.wrapping_add(signed(offset, 12));
            insn.flow = if h >> 13 == 1 { Flow::Call(to) } else { Flow::Jump(to) };
        }
        (2, 4) if h >> 2 & 31 == 0 => {
            insn.flow = match (h >> 12 & 1, h >> 7 & 31) {
                (1, 0) => Flow::Trap,
                (1, _) => Flow::CallRegister,
                _ => Flow::JumpRegister,
            };
        }
        _ => {}
    }
    insn
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insn(len: u32, push: u32, [loads, stores]: [u32; 2], flow: Flow) -> Insn {
        Insn { len, push, loads, stores, flow }
    }

    #[test]
    fn thumb_is_decoded() {
        let at = 0x100;
        for (halves, wanted) in [
            // push {r4, r5, r7, lr}; sub sp, #24; pop {r4, pc}
            ([0xb5b0, 0], insn(2, 16, [0, 4], Flow::On)),
            ([0xb086, 0], insn(2, 24, [0, 0], Flow::On)),
            ([0xbd10, 0], insn(2, 0, [2, 0], Flow::JumpRegister)),
            // bl .+4; b.w .-4; blx r3; bx lr; udf #0; bkpt 0xab
            ([0xf000, 0xf800], insn(4, 0, [0, 0], Flow::Call(at + 4))),
            ([0xf7ff, 0xbffc], insn(4, 0, [0, 0], Flow::Jump(at - 4))),
            ([0x4798, 0], insn(2, 0, [0, 0], Flow::CallRegister)),
            ([0x4770, 0], insn(2, 0, [0, 0], Flow::JumpRegister)),
            ([0xde00, 0], insn(2, 0, [0, 0], Flow::Trap)),
            ([0xbeab, 0], insn(2, 0, [0, 0], Flow::Trap)),
            // push.w {r4-r11, lr}; sub.w sp, sp, #512; subw sp, sp, #1028; str lr, [sp, #-4]!
            ([0xe92d, 0x4ff0], insn(4, 36, [0, 9], Flow::On)),
            ([0xf5ad, 0x7d00], insn(4, 512, [0, 0], Flow::On)),
            ([0xf2ad, 0x4d04], insn(4, 1028, [0, 0], Flow::On)),
            ([0xf84d, 0xed04], insn(4, 4, [0, 1], Flow::On)),
            // ldrd r0, r1, [r2]; ldm.w r0!, {r1-r4}; ldr.w r0, [r1, #4]; vpush {d8}
            ([0xe9d2, 0x0100], insn(4, 0, [2, 0], Flow::On)),
            ([0xe8b0, 0x001e], insn(4, 0, [4, 0], Flow::On)),
            ([0xf8d1, 0x0004], insn(4, 0, [1, 0], Flow::On)),
            ([0xed2d, 0x8b02], insn(4, 8, [0, 2], Flow::On)),
            // smlad r0, r1, r2, r3
            ([0xfb21, 0x3002], insn(4, 0, [0, 0], Flow::On)),
        ] {
            assert_eq!(thumb(at, halves[0], halves[1]), wanted, "{halves:x?}");
        }
    }

    #[test]
    fn riscv_is_decoded() {
        let at = 0x8000_0100;
        for (word, before, wanted) in [
            // addi sp, sp, -64; lw a0, 4(a1); sw a0, 4(a1); c.addi16sp -64; c.lwsp
            (0xfc01_0113, 0, insn(4, 64, [0, 0], Flow::On)),
            (0x0045_a503, 0, insn(4, 0, [1, 0], Flow::On)),
            (0x00a5_a223, 0, insn(4, 0, [0, 1], Flow::On)),
            (0x7139, 0, insn(2, 64, [0, 0], Flow::On)),
            (0x4512, 0, insn(2, 0, [1, 0], Flow::On)),
            // jal .+8; auipc ra, 1 / jalr ra, 16(ra); c.jalr a5; ret; ebreak
            (0x0080_00ef, 0, insn(4, 0, [0, 0], Flow::Call(at + 8))),
            (0x0100_80e7, 0x0000_1097, insn(4, 0, [0, 0], Flow::Call(at - 4 + 0x1010))),
            (0x9782, 0, insn(2, 0, [0, 0], Flow::CallRegister)),
            (0x8082, 0, insn(2, 0, [0, 0], Flow::JumpRegister)),
            (0x0010_0073, 0, insn(4, 0, [0, 0], Flow::Trap)),
        ] {
            assert_eq!(riscv(at, word, before), wanted, "{word:x}");
        }
    }
}
