//! Where sound comes from: a file or standard input, at the rate that the model takes.

use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::path::Path;

use embarca_data::DataError;
use embarca_data::audio::{Resampler, Sound};

use crate::failure::{Failure, Result};
use crate::show;

/// Sound, block by block, resampled. (The one step in front of a model that is not a part of its plan.)
pub struct Source {
    sound: Sound<Box<dyn Read>>,
    name: String,
    resampler: Option<Resampler>,
    block: Vec<f32>,
    out: Vec<f32>,
    over: bool,
}

impl Source {
    /// A WAV file.
    pub fn file(path: &Path, rate: u32) -> Result<Self> {
        let named = |error: std::io::Error| Failure::from(DataError::from(error).in_file(path));
        let file = File::open(path).map_err(named)?;
        let size = file.metadata().map_err(named)?;
        let size = size.is_file().then_some(size.len());
        let reader: Box<dyn Read> = Box::new(BufReader::new(file));
        let sound = Sound::wav(reader, size).map_err(|error| error.in_file(path))?;
        Self::new(sound, path.display().to_string(), rate)
    }

    /// Standard input: WAV by its header, otherwise samples of 16 bits at a given rate.
    pub fn standard_input(given: Option<u32>, rate: u32) -> Result<Self> {
        let mut stdin = std::io::stdin();
        let mut start = Vec::new();
        stdin.by_ref().take(4).read_to_end(&mut start)?;
        let is_wav = matches!(&start[..], b"RIFF" | b"RF64");
        let reader: Box<dyn Read> = Box::new(Cursor::new(start).chain(stdin));
        let sound = if is_wav {
            if given.is_some() {
                show::note("the sound says its own rate; --rate is left aside");
            }
            Sound::wav(reader, None).map_err(|error| error.in_file(Path::new("standard input")))?
        } else {
            if given.is_none() {
                show::note(&format!(
                    "taken for 16-bit samples, {rate} a second; --rate HZ says otherwise"
                ));
            }
            Sound::pcm(reader, given.unwrap_or(rate))
        };
        Self::new(sound, "standard input".to_owned(), rate)
    }

    fn new(sound: Sound<Box<dyn Read>>, name: String, rate: u32) -> Result<Self> {
        let own = sound.rate();
        if !(1000..=768_000).contains(&own) {
            let what = format!("{name}: {own} samples a second; 1000 to 768000 are taken");
            return Err(Failure::refused(what));
        }
        let resampler = if own == rate { None } else { Some(Resampler::new(own, rate)?) };
        if let Some(channels) = Some(sound.channels()).filter(|&channels| 1 < channels) {
            show::note(&format!("{name}: {channels} channels are averaged"));
        }
        if own != rate {
            show::note(&format!("{name}: resampled from {own} to {rate} samples a second"));
        }
        Ok(Self { sound, name, resampler, block: Vec::new(), out: Vec::new(), over: false })
    }

    /// Reads on; false at the end, with the last samples.
    pub fn next(&mut self) -> Result<bool> {
        self.out.clear();
        if self.over {
            return Ok(false);
        }
        let more = self.sound.read(&mut self.block);
        let more = more.map_err(|error| error.in_file(Path::new(&self.name)))?;
        self.over = !more;
        match &mut self.resampler {
            None => std::mem::swap(&mut self.out, &mut self.block),
            Some(resampler) => {
                resampler.push(&self.block, &mut self.out);
                if !more {
                    resampler.finish(&mut self.out);
                }
            }
        }
        Ok(more)
    }

    /// The samples that were read.
    pub fn samples(&self) -> &[f32] {
        &self.out
    }
}
