//! Placing blocks that live for a while into one arena, without allocation.

use core::fmt;

/// A block of memory that is in use from position `first` to position `last`, both included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// Bytes.
    pub size: u64,
    /// First position of use.
    pub first: u32,
    /// Last position of use.
    pub last: u32,
    /// First byte in the arena: the result.
    pub offset: u64,
}

impl Block {
    /// Whether some position needs both.
    pub const fn meets(&self, other: &Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// Why blocks cannot be placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssignError {
    /// More than [`MAX_BLOCKS`] blocks.
    TooMany,
    /// The scratch has fewer than two entries per block.
    Scratch,
    /// The alignment is not a power of two.
    Alignment,
    /// The arena would exceed 2^63 bytes.
    TooLarge,
}

impl fmt::Display for AssignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooMany => "more than 16384 tensors share the arena",
            Self::Scratch => "the scratch for placing blocks is too short",
            Self::Alignment => "the alignment is not a power of two",
            Self::TooLarge => "the arena would be too large",
        })
    }
}

impl core::error::Error for AssignError {}

/// [`assign`] takes at most this many blocks: its time grows with the square of their number.
pub const MAX_BLOCKS: usize = 1 << 14;

/// Up to this many blocks, all orders are tried; above, one.
const TRY_ALL: usize = 1 << 11;

/// Comparisons to spend on refining each order, and the most rounds of it.
const REFINE_WORK: usize = 1 << 20;
const REFINE_ROUNDS: usize = 64;

/// In which order blocks are placed. Ties go to the block that comes first.
#[derive(Clone, Copy)]
enum Order {
    Size,
    Area,
    First,
    Last,
    Duration,
}

const ORDERS: [Order; 5] = [Order::Size, Order::Area, Order::Duration, Order::First, Order::Last];

/// Gives each block an offset, a multiple of `align`, so that blocks that meet do not overlap, and
/// returns the bytes needed. The same blocks get the same offsets on every machine.
///
/// Places one block after the other into the smallest gap that takes it, in several orders
/// (largest first, largest times longest first, ...), then again with blocks that came to lie too
/// high earlier in the order, and keeps the best result. `scratch` has two entries per block.
///
/// # Errors
/// See [`AssignError`].
pub fn assign(blocks: &mut [Block], scratch: &mut [u32], align: u64) -> Result<u64, AssignError> {
    if blocks.len() > MAX_BLOCKS {
        return Err(AssignError::TooMany);
    }
    if scratch.len() < blocks.len() * 2 {
        return Err(AssignError::Scratch);
    }
    if !align.is_power_of_two() {
        return Err(AssignError::Alignment);
    }
    let sum = blocks.iter().try_fold(0u64, |sum, block| {
        sum.checked_add(block.size.checked_add(align - 1)? & !(align - 1))
    });
    if sum.is_none_or(|sum| sum > i64::MAX as u64) {
        return Err(AssignError::TooLarge);
    }
    let bound = lower_bound(blocks, scratch, align)?;
    let (order, placed) = scratch.split_at_mut(blocks.len());
    let placed = &mut placed[..blocks.len()];
    if blocks.len() > TRY_ALL {
        sort(blocks, order, Order::Size);
        return Ok(place(blocks, order, placed, align));
    }
    let mut best = (u64::MAX, Order::Size, 0);
    let rounds = (REFINE_WORK / (blocks.len() * blocks.len()).max(1)).min(REFINE_ROUNDS);
    let mut at = (Order::Size, 0);
    'orders: for by in ORDERS {
        sort(blocks, order, by);
        for round in 0..=rounds {
            let total = place(blocks, order, placed, align);
            at = (by, round);
            if total < best.0 {
                best = (total, by, round);
            }
            if total == bound {
                break 'orders;
            }
            promote_highest(blocks, order);
        }
    }
    if (best.1 as u8, best.2) != (at.0 as u8, at.1) {
        sort(blocks, order, best.1);
        for _ in 0..best.2 {
            place(blocks, order, placed, align);
            promote_highest(blocks, order);
        }
        place(blocks, order, placed, align);
    }
    Ok(best.0)
}

/// Moves the block that reaches highest to the front of the order: it could not find a low place.
fn promote_highest(blocks: &[Block], order: &mut [u32]) {
    let end = |index: u32| {
        let block = &blocks[index as usize];
        block.offset + block.size
    };
    let highest = (0..order.len()).max_by_key(|&at| (end(order[at]), at));
    if let Some(highest) = highest {
        order[..=highest].rotate_right(1);
    }
}

fn sort(blocks: &[Block], order: &mut [u32], by: Order) {
    for (index, slot) in order.iter_mut().enumerate() {
        *slot = index as u32;
    }
    order.sort_unstable_by_key(|&index| {
        let block = &blocks[index as usize];
        let duration = u64::from(block.last.saturating_sub(block.first)) + 1;
        let key = match by {
            Order::Size => (u128::MAX - u128::from(block.size), !duration),
            Order::Area => (u128::MAX - u128::from(block.size) * u128::from(duration), 0),
            Order::Duration => (u128::from(!duration), !block.size),
            Order::First => (u128::from(block.first), !block.size),
            Order::Last => (u128::from(!block.last), !block.size),
        };
        (key, index)
    });
}

/// Places the blocks one after the other, each into the smallest gap that takes it.
fn place(blocks: &mut [Block], order: &[u32], placed: &mut [u32], align: u64) -> u64 {
    let mut total = 0;
    for (count, &index) in order.iter().enumerate() {
        let block = blocks[index as usize];
        let size = (block.size + (align - 1)) & !(align - 1);
        let mut end = 0;
        let mut best = (u64::MAX, 0);
        if size > 0 {
            for &other in &placed[..count] {
                let other = &blocks[other as usize];
                if other.size == 0 || !block.meets(other) {
                    continue;
                }
                let gap = other.offset.saturating_sub(end);
                if size <= gap && gap < best.0 {
                    best = (gap, end);
                }
                end = end.max((other.offset + other.size + (align - 1)) & !(align - 1));
            }
            if best.0 == u64::MAX {
                best.1 = end;
            }
        }
        let offset = best.1;
        blocks[index as usize].offset = offset;
        total = total.max(offset + size);
        let at = placed[..count].partition_point(|&o| blocks[o as usize].offset <= offset);
        placed[at..=count].rotate_right(1);
        placed[at] = index;
    }
    total
}

/// The most bytes that any position needs at once, each block rounded up to `align`: no placement
/// is smaller. `scratch` has two entries per block.
///
/// # Errors
/// As [`assign`], but any number of blocks is welcome.
pub fn lower_bound(blocks: &[Block], scratch: &mut [u32], align: u64) -> Result<u64, AssignError> {
    if scratch.len() < blocks.len() * 2 {
        return Err(AssignError::Scratch);
    }
    if !align.is_power_of_two() {
        return Err(AssignError::Alignment);
    }
    let (born, dead) = scratch.split_at_mut(blocks.len());
    for (index, (a, b)) in born.iter_mut().zip(&mut *dead).enumerate() {
        (*a, *b) = (index as u32, index as u32);
    }
    let dead = &mut dead[..blocks.len()];
    born.sort_unstable_by_key(|&index| blocks[index as usize].first);
    dead.sort_unstable_by_key(|&index| blocks[index as usize].last);
    let rounded = |index: u32| {
        let size = blocks[index as usize].size.checked_next_multiple_of(align);
        size.filter(|&size| size <= i64::MAX as u64).ok_or(AssignError::TooLarge)
    };
    let (mut live, mut most) = (0u64, 0);
    let mut dying = dead.iter().peekable();
    for &index in born.iter() {
        let now = blocks[index as usize].first;
        while let Some(&&gone) = dying.peek() {
            if blocks[gone as usize].last >= now {
                break;
            }
            live = live.saturating_sub(rounded(gone)?);
            dying.next();
        }
        live = live.checked_add(rounded(index)?).ok_or(AssignError::TooLarge)?;
        most = most.max(live);
    }
    Ok(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(size: u64, first: u32, last: u32) -> Block {
        Block { size, first, last, offset: 0 }
    }

    fn check(blocks: &mut [Block], align: u64) -> (u64, u64) {
        let mut scratch = [0; 1024];
        let total = assign(blocks, &mut scratch, align).unwrap();
        for (i, a) in blocks.iter().enumerate() {
            assert_eq!(a.offset % align, 0);
            assert!(a.offset + a.size <= total);
            for b in &blocks[..i] {
                let apart = a.offset + a.size <= b.offset || b.offset + b.size <= a.offset;
                assert!(apart || !a.meets(b) || a.size == 0 || b.size == 0, "{a:?} {b:?}");
            }
        }
        (total, lower_bound(blocks, &mut scratch, align).unwrap())
    }

    #[test]
    fn chain_needs_two_neighbours() {
        let mut blocks = [block(100, 0, 1), block(200, 1, 2), block(50, 2, 3), block(90, 3, 4)];
        assert_eq!(check(&mut blocks, 16), (320, 320));
    }

    #[test]
    fn zero_sizes_and_nothing() {
        assert_eq!(check(&mut [], 16), (0, 0));
        assert_eq!(check(&mut [block(0, 0, 9), block(5, 0, 9), block(0, 1, 1)], 16), (16, 16));
    }

    #[test]
    fn random_blocks_never_overlap_and_stay_near_the_bound() {
        let mut seed = 1u32;
        let mut next = |limit: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) % limit
        };
        let mut exact = 0;
        for round in 0..200 {
            let mut blocks = [Block::default(); 60];
            for block in &mut blocks {
                let first = next(40);
                *block =
                    Block { size: u64::from(next(1000)), first, last: first + next(8), offset: 0 };
            }
            let (total, bound) = check(&mut blocks, 16);
            let at = |position: u32| {
                let live = blocks.iter().filter(|b| b.first <= position && position <= b.last);
                live.map(|b| b.size.next_multiple_of(16)).sum::<u64>()
            };
            assert_eq!((0..50).map(at).max(), Some(bound));
            assert!(bound <= total && total * 4 <= bound * 5, "round {round}: {total} {bound}");
            exact += u32::from(total == bound);
        }
        assert!(exact >= 160, "{exact} of 200 need no more than the bound");
    }

    #[test]
    fn refusals() {
        let mut one = [block(u64::MAX, 0, 0)];
        assert_eq!(assign(&mut one, &mut [0; 2], 16), Err(AssignError::TooLarge));
        assert_eq!(assign(&mut one, &mut [0; 1], 16), Err(AssignError::Scratch));
        assert_eq!(assign(&mut one, &mut [0; 2], 12), Err(AssignError::Alignment));
    }
}
