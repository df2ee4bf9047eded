//! To integers. From 2^23 on, every f32 is one.

/// Adding and subtracting 2^23 leaves no place for a fraction.
const NO_FRACTION: f32 = 8_388_608.0;

/// To the nearest integer, halves to the even one.
#[inline]
pub fn round_half_even(x: f32) -> f32 {
    let whole = ((x.abs() + NO_FRACTION) - NO_FRACTION).copysign(x);
    if x.abs() < NO_FRACTION { whole } else { x }
}

/// To the nearest integer, halves away from zero, like C's `round`.
#[inline]
pub fn round_half_away(x: f32) -> f32 {
    let whole = trunc(x);
    let up = if 0.5 <= (x - whole).abs() { 1.0f32.copysign(x) } else { 0.0 };
    if up == 0.0 { whole } else { whole + up }
}

/// To the next integer toward minus infinity.
#[inline]
pub fn floor(x: f32) -> f32 {
    let near = round_half_even(x);
    if x < near { near - 1.0 } else { near }
}

/// To the next integer toward infinity.
#[inline]
pub fn ceil(x: f32) -> f32 {
    let near = round_half_even(x);
    if near < x { (near + 1.0).copysign(x) } else { near }
}

/// To the next integer toward zero.
#[inline]
pub fn trunc(x: f32) -> f32 {
    let near = round_half_even(x);
    if x.abs() < near.abs() { near - 1.0f32.copysign(x) } else { near }.copysign(x)
}
