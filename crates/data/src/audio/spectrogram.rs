//! A picture of sound: time to the right, frequency upward, and what was found in it.

use embarca_num::float::fourier::{self, Complex};

use crate::image::{Ink, draw_box, draw_line, draw_text};
use crate::{DataLimits, Image, Result};

/// Samples of a frame, and from one to the next.
const WINDOW: usize = 512;
const STEP: usize = 128;
/// Frequencies that are drawn, the highest half the rate.
const ROWS: usize = WINDOW / 2;
/// Columns that are kept; longer sound is drawn more coarsely.
const COLUMNS: usize = 1024;
/// What is this much below the loudest is black, in decibels.
const RANGE: f32 = 80.0;
/// Pixels around the plot: left, top, right, bottom.
const MARGINS: [usize; 4] = [40, 12, 8, 14];

/// Something to be marked.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// In seconds.
    pub start: f64,
    /// In seconds.
    pub end: f64,
    /// What stands above it.
    pub text: String,
    /// The number of its colour.
    pub class: usize,
    /// The frequency in Hz where it lies; all of them without one.
    pub hertz: Option<f64>,
}

/// Collects the spectra of a sound in bounded memory.
#[derive(Clone, Debug)]
pub struct Spectrogram {
    rate: u32,
    window: Vec<f32>,
    turns: Vec<Complex>,
    numbers: Vec<Complex>,
    /// The last samples, weighed and not.
    samples: Vec<f32>,
    weighed: Vec<f32>,
    /// Decibels, column by column, the lowest frequency first.
    columns: Vec<f32>,
    /// Frames in a column, and of the last one so far.
    per_column: usize,
    in_column: usize,
    fed: u64,
}

impl Spectrogram {
    /// Of sound at a rate.
    pub fn new(rate: u32) -> Self {
        let turn = |k: usize| -2.0 * std::f64::consts::PI * k as f64 / WINDOW as f64;
        let window = (0..WINDOW).map(|n| (0.5 - 0.5 * turn(n).cos()) as f32).collect();
        Self {
            rate,
            window,
            turns: (0..WINDOW).map(|k| [turn(k).cos(), turn(k).sin()]).collect(),
            numbers: vec![[0.0; 2]; WINDOW],
            samples: Vec::with_capacity(WINDOW),
            weighed: vec![0.0; WINDOW],
            columns: Vec::new(),
            per_column: 1,
            in_column: 0,
            fed: 0,
        }
    }

    /// Takes samples.
    pub fn push(&mut self, samples: &[f32]) {
        self.fed += samples.len() as u64;
        let mut rest = samples;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(WINDOW - self.samples.len()));
            self.samples.extend_from_slice(now);
            rest = later;
            if self.samples.len() == WINDOW {
                self.frame();
                self.samples.copy_within(STEP.., 0);
                self.samples.truncate(WINDOW - STEP);
            }
        }
    }

    fn frame(&mut self) {
        for ((to, x), w) in self.weighed.iter_mut().zip(&self.samples).zip(&self.window) {
            *to = x * w;
        }
        fourier::transform(&mut self.numbers, &self.weighed, &self.turns, 0, 1);
        if self.in_column == 0 {
            if self.columns.len() == COLUMNS * ROWS {
                self.halve();
            }
            self.columns.extend([f32::NEG_INFINITY; ROWS]);
        }
        let start = self.columns.len().saturating_sub(ROWS);
        let column = self.columns.get_mut(start..).unwrap_or_default();
        for (to, [re, im]) in column.iter_mut().zip(self.numbers.iter().skip(1)) {
            *to = to.max((10.0 * (re * re + im * im + 1e-12).log10()) as f32);
        }
        self.in_column = (self.in_column + 1) % self.per_column;
    }

    /// Two columns become one.
    fn halve(&mut self) {
        for at in 0..COLUMNS / 2 {
            for row in 0..ROWS {
                let [a, b] = [2 * at, 2 * at + 1].map(|column| self.columns[column * ROWS + row]);
                self.columns[at * ROWS + row] = a.max(b);
            }
        }
        self.columns.truncate(COLUMNS / 2 * ROWS);
        self.per_column *= 2;
    }

    /// The picture, with marks.
    ///
    /// # Errors
    /// Only by a defect.
    pub fn draw(&self, marks: &[Mark]) -> Result<Image> {
        let count = (self.columns.len() / ROWS).max(1);
        let wide = (COLUMNS / 2).div_ceil(count);
        let (width, height) = (count * wide, ROWS);
        let [left, top, right, bottom] = MARGINS;
        let size = (left + width + right, top + height + bottom);
        let mut image = Image::filled(size.0, size.1, &[255; 3], &DataLimits::default())?;
        let loudest = self.columns.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        for x in 0..width {
            for y in 0..height {
                let level =
                    self.columns.get(x / wide * ROWS + y).copied().unwrap_or(f32::NEG_INFINITY);
                let share = (1.0 + (level - loudest) / RANGE).clamp(0.0, 1.0);
                let at = ((top + height - 1 - y) * size.0 + left + x) * 3;
                if let Some(pixel) = image.pixels.get_mut(at..at + 3) {
                    pixel.copy_from_slice(&colour(share));
                }
            }
        }
        // What a column stands for, in seconds.
        let column = (STEP * self.per_column) as f64 / f64::from(self.rate.max(1));
        let seconds = count as f64 * column;
        let across = |at: f64| left as f64 + (at / seconds).clamp(0.0, 1.0) * width as f64;
        let half = f64::from(self.rate) / 2.0;
        let up =
            |hertz: f64| (top + height) as f64 - (hertz / half).clamp(0.0, 1.0) * height as f64;
        self.axes(&mut image, seconds, &across, half, &up);
        for mark in marks {
            let ink = Ink::numbered(mark.class);
            let [x0, x1] = [mark.start, mark.end].map(|at| across(at) as f32);
            let [y0, y1] = match mark.hertz {
                Some(hertz) => [up(hertz) as f32 - 3.0, up(hertz) as f32 + 3.0],
                None => [top as f32, (top + height) as f32],
            };
            draw_box(&mut image, [x0, y0, x1.max(x0 + 2.0), y1], ink.paint, 2);
            let above = if mark.hertz.is_some() { y0 - 10.0 } else { 1.0 };
            draw_text(&mut image, [x0, above.max(0.0)], &mark.text, ink, 1);
        }
        Ok(image)
    }

    fn axes(
        &self,
        image: &mut Image,
        seconds: f64,
        across: &dyn Fn(f64) -> f64,
        half: f64,
        up: &dyn Fn(f64) -> f64,
    ) {
        let ink = Ink { paint: [255; 3], letters: [0; 3] };
        let [left, top, _, bottom] = MARGINS.map(|margin| margin as f32);
        let floor = image.height as f32 - bottom;
        for (at, text) in ticks(seconds, 8.0, "s") {
            let x = across(at) as f32;
            draw_line(image, [x, floor], [x, floor + 3.0], [0; 3], 1);
            draw_text(image, [x + 2.0, floor + 4.0], &text, ink, 1);
        }
        for (at, text) in ticks(half / 1000.0, 6.0, "kHz") {
            let y = up(1000.0 * at) as f32;
            draw_line(image, [left - 3.0, y], [left, y], [0; 3], 1);
            draw_text(image, [0.0, (y - 9.0).max(top)], &text, ink, 1);
        }
    }
}

/// Round numbers from 0 to `end`, at most `most` and one.
fn ticks(end: f64, most: f64, unit: &str) -> Vec<(f64, String)> {
    let raw = (end / most).max(1e-3);
    let power = 10f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|by| by * power).find(|step| raw <= *step);
    let step = step.unwrap_or(10.0 * power);
    let digits = if step < 0.095 { 2 } else { usize::from(step < 0.95) };
    let count = (end / step + 1e-9).floor() as usize;
    (0..=count.min(1 + most as usize))
        .map(|i| (i as f64 * step, format!("{:.digits$}{unit}", i as f64 * step)))
        .collect()
}

/// From black over violet, red and orange to pale yellow: brighter as it grows, also in grey.
fn colour(share: f32) -> [u8; 3] {
    const STOPS: [[f32; 3]; 5] = [
        [0.0, 0.0, 4.0],
        [87.0, 16.0, 110.0],
        [188.0, 55.0, 84.0],
        [249.0, 142.0, 9.0],
        [252.0, 255.0, 164.0],
    ];
    let at = share.clamp(0.0, 1.0) * 4.0;
    let below = (at as usize).min(3);
    let part = at - below as f32;
    [0, 1, 2].map(|c| (STOPS[below][c] + part * (STOPS[below + 1][c] - STOPS[below][c])) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_a_line_and_long_sound_stays_small() {
        let mut picture = Spectrogram::new(8000);
        let tone =
            |i: usize| (2.0 * std::f64::consts::PI * 1000.0 * i as f64 / 8000.0).sin() as f32;
        for block in 0..200 {
            let samples: Vec<f32> = (0..1000).map(|i| tone(block * 1000 + i)).collect();
            picture.push(&samples);
        }
        assert!(picture.columns.len() <= COLUMNS * ROWS && picture.per_column == 2);
        for column in picture.columns.chunks(ROWS) {
            let loudest = (0..ROWS).max_by(|&a, &b| column[a].total_cmp(&column[b]));
            // Row 0 is the first above frequency 0.
            assert_eq!(loudest, Some(63));
        }
        let mark =
            Mark { start: 5.0, end: 9.0, text: "tone".into(), class: 0, hertz: Some(1000.0) };
        let image = picture.draw(&[mark]).unwrap();
        let pixel = |x: usize, y: usize| &image.pixels[(y * image.width + x) * 3..][..3];
        let row = 12 + 256 - 1 - 63;
        assert_eq!(pixel(60, row), colour(1.0));
        assert_eq!(pixel(60, row - 40), colour(0.0));
        assert!(Spectrogram::new(16000).draw(&[]).is_ok());
    }

    #[test]
    fn ticks_are_round() {
        let texts = |end: f64| -> Vec<String> {
            ticks(end, 8.0, "s").into_iter().map(|(_, text)| text).collect()
        };
        assert_eq!(texts(1.0), ["0.0s", "0.2s", "0.4s", "0.6s", "0.8s", "1.0s"]);
        assert_eq!(texts(3600.0).last().unwrap(), "3500s");
        assert!(texts(0.0).len() < 9 && texts(1e9).len() < 11);
    }
}
