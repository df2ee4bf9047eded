//! Video through a model: a Y4M file or standard input, anything else through ffmpeg.
//!
//! Cameras and compressed video are decoded by the `ffmpeg` of the machine, which this starts when
//! the user names such an input: a decoder of our own, or a binding to the kernel's cameras, would
//! be far larger than the rest of the command line.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufReader, IsTerminal, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use embarca_data::video::Video;
use embarca_data::{DataLimits, Image};

use crate::failure::{Failure, Result};
use crate::show;

/// What ends the names of files that ffmpeg decodes.
const COMPRESSED: [&str; 7] = ["avi", "gif", "m4v", "mkv", "mov", "mp4", "webm"];

/// Where frames come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Y4m,
    Stdin,
    Compressed,
    Camera,
}

/// Whether an input is a camera.
pub fn is_camera(path: &Path) -> bool {
    path.to_str().is_some_and(|text| text.starts_with("/dev/video"))
}

fn origin(path: &Path) -> Option<Origin> {
    let text = path.to_str()?;
    if text == "-" {
        return Some(Origin::Stdin);
    }
    if is_camera(path) {
        return Some(Origin::Camera);
    }
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    match extension.as_str() {
        "y4m" => Some(Origin::Y4m),
        other => COMPRESSED.contains(&other).then_some(Origin::Compressed),
    }
}

/// Whether an input is video.
pub fn concerns(path: &Path) -> bool {
    origin(path).is_some()
}

/// Frames, and the decoder that is ended with them.
pub struct Frames {
    video: Video<Box<dyn Read>>,
    decoder: Option<Child>,
    name: String,
}

impl Drop for Frames {
    fn drop(&mut self) {
        if let Some(decoder) = &mut self.decoder {
            let _ = decoder.kill();
            let _ = decoder.wait();
        }
    }
}

impl Frames {
    /// Opens a video.
    pub fn open(path: &Path) -> Result<Self> {
        let named = |error| Failure::refused(format!("{}: {error}", path.display()));
        let mut decoder = None;
        let reader: Box<dyn Read> = match origin(path) {
            Some(Origin::Stdin) => Box::new(std::io::stdin()),
            Some(origin @ (Origin::Compressed | Origin::Camera)) => {
                if !path.exists() {
                    return Err(missing(path, origin));
                }
                let mut child = ffmpeg(path, origin == Origin::Camera)?;
                let out = child.stdout.take();
                decoder = Some(child);
                Box::new(out.ok_or_else(|| Failure::refused("ffmpeg has no output"))?)
            }
            _ => Box::new(File::open(path).map_err(named)?),
        };
        let reader: Box<dyn Read> = Box::new(BufReader::with_capacity(1 << 20, reader));
        let video = Video::new(reader, &DataLimits::default());
        let video = video.map_err(|error| match &mut decoder {
            Some(decoder) => {
                // What ffmpeg found wrong stands on standard error already.
                let _ = decoder.kill();
                let _ = decoder.wait();
                let what = format!("{}: ffmpeg makes no video of it", path.display());
                let shown = path.display();
                Failure::refused(what).next(format!("ffmpeg -i {shown}      says what is in it"))
            }
            None => error.in_file(path).into(),
        })?;
        let name = match origin(path) {
            Some(Origin::Stdin) => "standard input".to_owned(),
            _ => path.display().to_string(),
        };
        Ok(Self { video, decoder, name })
    }

    /// The next frame.
    pub fn next(&mut self) -> Result<Option<Image>> {
        let frame = self.video.frame();
        let frame = frame.map_err(|error| error.in_file(Path::new(&self.name)))?;
        if frame.is_none()
            && let Some(decoder) = &mut self.decoder
            && !decoder.wait()?.success()
        {
            return Err(Failure::refused("ffmpeg gave up before the end of the video"));
        }
        Ok(frame)
    }
}

/// The refusal of a video that is not there.
fn missing(path: &Path, origin: Origin) -> Failure {
    let shown = path.display();
    if origin == Origin::Camera {
        return Failure::refused(format!("{shown}: there is no such camera"))
            .next("ls /dev/video*      lists those that there are");
    }
    Failure::refused(format!("{shown}: there is no such file"))
}

/// Starts the machine's ffmpeg, which writes Y4M to its standard output.
fn ffmpeg(path: &Path, camera: bool) -> Result<Child> {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-loglevel", "error", "-nostdin"]);
    // A colon in a file's name must not be taken for a protocol.
    let mut input = OsString::from(if camera { "" } else { "file:" });
    input.push(path);
    if camera {
        command.args(["-f", "v4l2"]);
    }
    command.arg("-i").arg(input);
    command.args(["-pix_fmt", "yuv420p", "-f", "yuv4mpegpipe", "-"]);
    command.stdout(Stdio::piped()).stdin(Stdio::null());
    command.spawn().map_err(|error| {
        let what = format!("{}: ffmpeg, which decodes it, does not start: {error}", path.display());
        Failure::refused(what)
            .next("sudo apt install ffmpeg      installs it")
            .next("embarca run MODEL video.y4m      needs none")
    })
}

/// Latency and rate, shown on one line that a terminal keeps renewing.
pub struct Meter {
    start: Instant,
    frames: usize,
    /// Milliseconds of each frame's run, smoothed.
    latency: f64,
    live: bool,
}

impl Meter {
    /// Starts to measure.
    pub fn start() -> Self {
        let live = std::io::stderr().is_terminal();
        Self { start: Instant::now(), frames: 0, latency: 0.0, live }
    }

    /// Counts a frame that took `ms` milliseconds to run.
    pub fn frame(&mut self, ms: f64) {
        self.frames += 1;
        self.latency = if self.frames == 1 { ms } else { 0.9 * self.latency + 0.1 * ms };
        if self.live {
            let _ = write!(std::io::stderr(), "\r{}\x1b[K\r", self.line());
        }
    }

    fn line(&self) -> String {
        let seconds = self.start.elapsed().as_secs_f64().max(1e-9);
        let rate = show::digits(self.frames as f64 / seconds);
        let frames = show::number(self.frames, "frame");
        format!("{frames}, {rate} a second, {} a run", show::ms(self.latency))
    }

    /// The last line.
    pub fn finish(&self) {
        show::note(&self.line());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        for (path, part) in [
            ("/dev/video4095", "no such camera\n next: ls /dev/video*"),
            ("missing.mp4", "missing.mp4: there is no such file"),
        ] {
            let Err(failure) = Frames::open(Path::new(path)) else { panic!("{path} opens") };
            assert!(failure.to_string().contains(part), "{failure}");
        }
    }

    #[test]
    fn origins_are_told_by_names() {
        for (name, want) in [
            ("-", Some(Origin::Stdin)),
            ("/dev/video0", Some(Origin::Camera)),
            ("a.y4m", Some(Origin::Y4m)),
            ("a.MP4", Some(Origin::Compressed)),
            ("a.png", None),
            ("video", None),
        ] {
            assert_eq!(origin(Path::new(name)), want, "{name}");
        }
    }
}
