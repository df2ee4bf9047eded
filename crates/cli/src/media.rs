//! What the user gives to a model, told by names and first bytes, and whether its task takes that.

use std::path::Path;

use embarca::task::{Medium, Spec};

use crate::failure::{Failure, Result};
use crate::{pictures, rows, video};

/// What an input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    Picture,
    Folder,
    Video,
    /// Standard input.
    Stdin,
    Sound,
    /// CSV or TSV.
    Table,
    /// Numbers on the command line.
    Numbers,
    /// NPY or NPZ.
    Arrays,
    /// TXT.
    Lines,
    /// A file of another format: what it is, and the ending of a format to turn it into with ffmpeg.
    Foreign(&'static str, &'static str),
    /// Any other file.
    File,
    /// No file: a text, or a mistake.
    Words,
}

impl Data {
    /// What an input is.
    pub fn of(path: &Path) -> Self {
        if path.as_os_str() == "-" {
            return Self::Stdin;
        }
        if video::is_camera(path) {
            return Self::Video;
        }
        if rows::numbers(path).is_some() {
            return Self::Numbers;
        }
        if path.is_dir() {
            return Self::Folder;
        }
        if !path.exists() {
            return Self::Words;
        }
        Self::by_bytes(&start(path)).unwrap_or_else(|| Self::by_name(path))
    }

    fn by_bytes(start: &[u8]) -> Option<Self> {
        let brand = start.get(4..12).unwrap_or_default();
        Some(match start {
            _ if pictures::is_picture(start) => Self::Picture,
            [b'R', b'I', b'F', b'F', ..] => match start.get(8..12) {
                Some(b"WEBP") => Self::Foreign("a WebP picture", "png"),
                Some(b"AVI ") => Self::Video,
                _ => Self::Sound,
            },
            [b'R', b'F', b'6', b'4', ..] => Self::Sound,
            [b'I', b'I', b'*', 0, ..] | [b'M', b'M', 0, b'*', ..] => {
                Self::Foreign("a TIFF picture", "png")
            }
            _ if matches!(brand, b"ftypavif" | b"ftypheic" | b"ftypheix" | b"ftypmif1") => {
                Self::Foreign("an AVIF or HEIC picture", "png")
            }
            _ if brand.starts_with(b"ftypM4A") => Self::Foreign("M4A sound", "wav"),
            [b'O', b'g', b'g', b'S', ..] => Self::Foreign("Ogg sound", "wav"),
            [b'f', b'L', b'a', b'C', ..] => Self::Foreign("FLAC sound", "wav"),
            [b'I', b'D', b'3', ..] | [0xff, 0xfb | 0xf3 | 0xf2, ..] => {
                Self::Foreign("MP3 sound", "wav")
            }
            _ if start.starts_with(b"YUV4MPEG2") || start.starts_with(b"GIF8") => Self::Video,
            _ if start.starts_with(b"\x93NUMPY") || start.starts_with(b"PK\x03\x04") => {
                Self::Arrays
            }
            _ => return None,
        })
    }

    fn by_name(path: &Path) -> Self {
        let extension = path.extension().map(|extension| extension.to_ascii_lowercase());
        match extension.as_ref().and_then(|extension| extension.to_str()) {
            Some("csv" | "tsv") => Self::Table,
            Some("txt") => Self::Lines,
            Some("npy" | "npz") => Self::Arrays,
            Some("wav") => Self::Sound,
            Some("png" | "jpg" | "jpeg" | "bmp") => Self::Picture,
            _ if video::concerns(path) => Self::Video,
            _ => Self::File,
        }
    }

    /// What a model takes that is given this, where that is plain.
    pub fn medium(self) -> Option<Medium> {
        match self {
            Self::Picture | Self::Folder | Self::Video => Some(Medium::Picture),
            Self::Sound => Some(Medium::Sound),
            Self::Table | Self::Numbers | Self::Arrays => Some(Medium::Table),
            Self::Lines => Some(Medium::Text),
            Self::Stdin | Self::Foreign(..) | Self::File | Self::Words => None,
        }
    }

    /// Whether a model that takes `medium` can be given this; what is not there is refused elsewhere.
    fn suits(self, medium: Medium) -> bool {
        match medium {
            Medium::Picture => {
                matches!(
                    self,
                    Self::Picture | Self::Folder | Self::Video | Self::Stdin | Self::Words
                )
            }
            Medium::Sound => matches!(self, Self::Sound | Self::Words),
            Medium::Text => {
                matches!(self, Self::Table | Self::Lines | Self::Numbers | Self::Stdin)
                    || matches!(self, Self::File | Self::Words)
            }
            Medium::Bytes => !matches!(self, Self::Stdin | Self::Folder | Self::Numbers),
            Medium::Table => {
                matches!(
                    self,
                    Self::Table | Self::Numbers | Self::Arrays | Self::Lines | Self::Words
                )
            }
        }
    }

    fn shown(self) -> &'static str {
        match self {
            Self::Picture => "a picture",
            Self::Folder => "a folder",
            Self::Video => "a video",
            Self::Stdin => "standard input",
            Self::Sound => "sound",
            Self::Table => "a table",
            Self::Numbers => "a row of numbers",
            Self::Arrays => "arrays",
            Self::Lines => "text",
            Self::Foreign(what, _) => what,
            Self::File => "a file of another kind",
            Self::Words => "no file",
        }
    }
}

/// The first bytes of a file; none where it cannot be read.
fn start(path: &Path) -> Vec<u8> {
    use std::io::Read;
    let mut start = Vec::new();
    // A pipe would lose what is read of it.
    if path.is_file()
        && let Ok(file) = std::fs::File::open(path)
        && file.take(16).read_to_end(&mut start).is_err()
    {
        start.clear();
    }
    start
}

/// What a model of this medium takes, with an example.
fn takes(medium: Medium) -> &'static str {
    match medium {
        Medium::Picture => "PNG, JPEG, BMP, a folder of them, a video",
        Medium::Sound => "WAV files; with --follow also -",
        Medium::Text => "a text, or TXT, CSV, TSV, -",
        Medium::Bytes => "files",
        Medium::Table => "CSV, NPZ, NPY, or numbers such as 0.7,1,2",
    }
}

/// Refuses what no model takes in its format.
pub fn known(path: &Path) -> Result {
    let Data::Foreign(what, ending) = Data::of(path) else { return Ok(()) };
    let shown = path.display();
    let other = path.with_extension(ending);
    Err(Failure::refused(format!("{shown}: {what}, which is not read"))
        .next(format!("ffmpeg -i {shown} {}      turns it into one that is", other.display())))
}

/// Refuses an input that does not go with what takes `medium`, which `who` is.
pub fn check(path: &Path, medium: Medium, who: &str) -> Result {
    if !matches!(medium, Medium::Bytes | Medium::Text) {
        known(path)?;
    }
    let data = Data::of(path);
    if data.suits(medium) {
        return Ok(());
    }
    let (shown, what) = (path.display(), data.shown());
    let given = match data {
        Data::Stdin => "standard input is not read for it".to_owned(),
        _ => format!("{shown} is {what}"),
    };
    let failure = Failure::refused(format!("{who} takes {medium}; {given}"));
    Err(match (data, medium) {
        (Data::Stdin, Medium::Sound) => failure.next("--follow      listens to standard input"),
        (Data::Video, Medium::Sound) => {
            let sound = path.with_extension("wav");
            failure.next(format!("ffmpeg -i {shown} {}      takes its sound out", sound.display()))
        }
        _ => failure.next(format!("embarca run MODEL INPUT      {}", takes(medium))),
    })
}

/// Who takes what a description says: for messages.
pub fn describer(description: &Path, spec: &Spec) -> String {
    match spec.kind {
        Some(kind) => format!("{}: a task of kind '{kind}'", description.display()),
        None => format!("{}: the task", description.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_are_told_by_first_bytes_and_names() {
        for (bytes, data) in [
            (&b"\x89PNG\r\n"[..], Some(Data::Picture)),
            (b"RIFF\0\0\0\0WAVEfmt ", Some(Data::Sound)),
            (b"RIFF\0\0\0\0WEBPVP8 ", Some(Data::Foreign("a WebP picture", "png"))),
            (b"RIFF\0\0\0\0AVI LIST", Some(Data::Video)),
            (b"YUV4MPEG2 W2", Some(Data::Video)),
            (b"GIF89a", Some(Data::Video)),
            (b"fLaC", Some(Data::Foreign("FLAC sound", "wav"))),
            (b"\0\0\0\x20ftypavif", Some(Data::Foreign("an AVIF or HEIC picture", "png"))),
            (b"PK\x03\x04", Some(Data::Arrays)),
            (b"a,b\n1,2", None),
            (b"", None),
        ] {
            assert_eq!(Data::by_bytes(bytes), data, "{bytes:?}");
        }
        for (name, data) in [
            ("a.CSV", Data::Table),
            ("a.txt", Data::Lines),
            ("a.mp4", Data::Video),
            ("a.wav", Data::Sound),
            ("a.bin", Data::File),
            ("a", Data::File),
        ] {
            assert_eq!(Data::by_name(Path::new(name)), data, "{name}");
        }
        assert_eq!(Data::of(Path::new("1,-2.5")), Data::Numbers);
        assert_eq!(Data::of(Path::new("/dev/video0")), Data::Video);
    }

    #[test]
    fn what_does_not_go_together_is_refused_by_name() {
        for (path, medium, part) in [
            ("-", Medium::Table, "it takes rows of numbers; standard input is not read for it"),
            (
                "-",
                Medium::Sound,
                "it takes sound; standard input is not read for it\n next: --follow",
            ),
            ("1,2", Medium::Picture, "it takes pictures; 1,2 is a row of numbers"),
            (".", Medium::Sound, "it takes sound; . is a folder"),
        ] {
            let message = check(Path::new(path), medium, "it").unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
        assert!(check(Path::new("-"), Medium::Picture, "").is_ok());
        assert!(check(Path::new("good morning"), Medium::Text, "").is_ok());
    }
}
