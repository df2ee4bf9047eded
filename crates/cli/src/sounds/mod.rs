//! Sound through a model and the stages of its task: what is heard, when, and a picture of it.

mod listener;
mod notes;
mod source;

use std::path::Path;
use std::time::{Duration, Instant};

use embarca::{PipelineError, Stream, Task};
use embarca_data::audio::{Mark, Spectrogram};
use embarca_data::{atomic_write, image};

use self::listener::{Heard, Listener, MARKS, News};
use self::source::Source;
use crate::args;
use crate::engine::Engine;
use crate::failure::{Failure, Result};
use crate::json::{Json, Listing};
use crate::show;
use crate::term::ranking;

/// Whether an input is sound, by its first bytes.
pub fn concerns(path: &Path) -> bool {
    use std::io::Read;
    let mut start = Vec::new();
    let file = std::fs::File::open(path);
    let read = file.and_then(|file| file.take(4).read_to_end(&mut start));
    read.is_ok() && matches!(&start[..], b"RIFF" | b"RF64")
}

/// A model that listens.
struct Job<'a> {
    args: &'a args::Run,
    stream: Stream,
    task: Task,
}

/// How long steps took.
#[derive(Default)]
struct Meter {
    spent: Duration,
    largest: Duration,
}

impl<'a> Job<'a> {
    /// The stages for sound, with the thresholds that the user sets; `None` where the model's task has
    /// none.
    fn new(args: &'a args::Run, engine: &Engine) -> Result<Option<Self>> {
        let Some(mut staged) = crate::task::for_sounds(engine, &args.model, &args.prepare)? else {
            return Ok(None);
        };
        if args.overlap.is_some() {
            return Err(Failure::usage("--overlap: this task has no such threshold"));
        }
        if let Some(score) = args.score {
            let values = &mut staged.task.values;
            let value = |name: &str, values: &[(String, f32)]| {
                values.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
            };
            let Some(before) = value("score", values) else {
                return Err(Failure::usage("--score: this task has no such threshold"));
            };
            // What ends an event stays as far below.
            for (name, value) in values.iter_mut() {
                match name.as_str() {
                    "score" => *value = score,
                    "release" => *value = (score - (before - *value)).max(0.0),
                    _ => {}
                }
            }
        }
        for note in &staged.task.notes {
            show::note(note);
        }
        let task = staged.task;
        let stream = Stream::new(staged.pipeline, &task).map_err(|_| {
            let what = "the plan does not say how often its front runs, or on too much at once";
            Failure::refused(what)
        })?;
        Ok(Some(Self { args, stream, task }))
    }

    fn label(&self, class: usize) -> String {
        if self.task.kind == "notes" {
            return notes::name(class);
        }
        match self.task.labels.get(class) {
            Some(label) if !label.is_empty() => label.clone(),
            _ => format!("class {class}"),
        }
    }

    /// Runs over a sound to its end. Yields the listener, which keeps the first `most_kept` events, and the
    /// sound's length in seconds.
    fn listen(
        &mut self,
        source: &mut Source,
        mut picture: Option<&mut Spectrogram>,
        meter: &mut Meter,
        most_kept: usize,
        tell: &mut dyn FnMut(&Self, News) -> Result,
    ) -> Result<(Listener, f64)> {
        self.stream.reset();
        let mut listener = Listener::new(&self.task, &self.stream, most_kept)?;
        let mut news: Vec<News> = Vec::new();
        let mut count = 0u64;
        let failed = |error: PipelineError| Failure::refused(error.to_string());
        loop {
            let more = source.next()?;
            let samples = source.samples();
            count += samples.len() as u64;
            if let Some(picture) = &mut picture {
                picture.push(samples);
            }
            let mut rest = samples;
            while !rest.is_empty() {
                let start = Instant::now();
                let (taken, span) = self.stream.feed(rest).map_err(failed)?;
                meter.add(start);
                rest = rest.get(taken..).unwrap_or_default();
                if let Some(span) = span {
                    listener.hear(&self.stream, span, &mut |new| news.push(new))?;
                    for new in news.drain(..) {
                        tell(self, new)?;
                    }
                }
            }
            if !more {
                break;
            }
        }
        let seconds = count as f64 / f64::from(self.stream.rate());
        listener.ends(seconds);
        let start = Instant::now();
        if let Some(span) = self.stream.finish().map_err(failed)? {
            listener.hear(&self.stream, span, &mut |new| news.push(new))?;
        }
        meter.add(start);
        listener.finish(&mut |new| news.push(new));
        for new in news.drain(..) {
            tell(self, new)?;
        }
        Ok((listener, seconds))
    }

    fn marks(&self, heard: &[Heard], seconds: f64) -> Vec<Mark> {
        let hertz = |class: usize| 440.0 * 2f64.powf((class as f64 - 69.0) / 12.0);
        let is_notes = self.task.kind == "notes";
        let mark = |heard: &Heard| Mark {
            start: heard.start,
            end: heard.end.min(seconds),
            text: self.label(heard.class),
            class: if is_notes { heard.class % 12 } else { heard.class },
            hertz: is_notes.then(|| hertz(heard.class)),
        };
        // More cannot be told apart.
        heard.iter().take(MARKS).map(mark).collect()
    }

    fn json(&self, heard: &Heard) -> Json {
        Json::object([
            ("label", self.label(heard.class).as_str().into()),
            ("class", heard.class.into()),
            ("start", round(heard.start).into()),
            ("end", round(heard.end).into()),
            ("score", f64::from(heard.score).into()),
        ])
    }
}

impl Meter {
    fn add(&mut self, start: Instant) {
        let spent = start.elapsed();
        self.spent += spent;
        self.largest = self.largest.max(spent);
    }
}

/// To milliseconds.
fn round(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

fn share(score: f32) -> String {
    format!("{:5.1}%", score * 100.0)
}

/// Refuses to write anything but a picture.
fn takes_picture(args: &args::Run) -> Result {
    let Some(out) = &args.out else { return Ok(()) };
    if out.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png")) {
        return Ok(());
    }
    let what = "--out takes a picture (FILE.png) of a sound";
    Err(Failure::usage(what).next("--out spectrogram.png      draws what was heard"))
}

/// Runs a model on recordings and prints what is heard in each; false where the model's task has no
/// sound in it.
pub fn run(args: &args::Run, engine: &Engine) -> Result<bool> {
    let Some(mut job) = Job::new(args, engine)? else { return Ok(false) };
    takes_picture(args)?;
    if args.out.is_some() && 1 < args.inputs.len() {
        return Err(Failure::usage("--out takes the picture of one sound"));
    }
    let many = 1 < args.inputs.len();
    let mut json = Listing::default();
    for path in &args.inputs {
        let mut source = Source::file(path, job.stream.rate())?;
        let mut picture = args.out.as_ref().map(|_| Spectrogram::new(job.stream.rate()));
        let mut meter = Meter::default();
        let (listener, seconds) =
            job.listen(&mut source, picture.as_mut(), &mut meter, usize::MAX, &mut |_, _| Ok(()))?;
        let name = path.display().to_string();
        if seconds == 0.0 {
            show::note(&format!("{name}: there are no samples in it"));
        }
        if args.json {
            json.item(&said(&job, &name, &listener, seconds))?;
        } else {
            let head = if many { format!("{name}\n") } else { String::new() };
            show::print(&(head + &text(&job, &listener, seconds)))?;
        }
        if let (Some(out), Some(picture)) = (&args.out, picture) {
            let image = picture.draw(&job.marks(&listener.heard, seconds))?;
            atomic_write(out, &image::encode_png(&image)?)?;
            if !args.json {
                show::print(&format!("{}\n", out.display()))?;
            }
        }
    }
    if args.json {
        json.finish()?;
    }
    Ok(true)
}

/// The classes that are worth a line.
fn top(job: &Job<'_>, listener: &Listener) -> Vec<(String, f64)> {
    let most = usize::try_from(job.args.top).unwrap_or(usize::MAX);
    let ranking = listener.ranking().into_iter().take(most);
    ranking.map(|(class, share)| (job.label(class), share)).collect()
}

fn text(job: &Job<'_>, listener: &Listener, seconds: f64) -> String {
    let is_stream = matches!(job.task.kind.as_str(), "voice-activity" | "wake-word" | "notes");
    let clip = job.stream.clip() as f64 / f64::from(job.stream.rate());
    let mut text = String::new();
    // Of one clip, the ranking says all.
    if is_stream || 1.1 * clip < seconds {
        for heard in &listener.heard {
            let (start, end) = (heard.start, heard.end.min(seconds));
            let label = job.label(heard.class);
            text += &format!("{start:8.2} to {end:.2} s  {label}  {}\n", share(heard.score).trim());
        }
        if listener.heard.is_empty() && job.task.kind != "classification" {
            let what = match job.task.kind.as_str() {
                "voice-activity" => "no speech",
                "wake-word" => "the wake word was not heard",
                "notes" => "no notes",
                _ => "no word was heard",
            };
            text += &format!("{what} in {seconds:.2} s\n");
        }
    }
    if !is_stream {
        let ranked = top(job, listener);
        text +=
            &ranking(ranked.iter().map(|(label, share)| (label.as_str(), *share)), &show::caps());
    }
    text
}

fn said(job: &Job<'_>, name: &str, listener: &Listener, seconds: f64) -> Json {
    let heard = listener.heard.iter().map(|heard| job.json(heard));
    let classes = top(job, listener).into_iter().map(|(label, share)| {
        Json::object([("label", label.as_str().into()), ("share", share.into())])
    });
    Json::object([
        ("input", name.into()),
        ("task", job.task.kind.as_str().into()),
        ("seconds", round(seconds).into()),
        ("events", Json::list(heard)),
        ("classes", Json::list(classes)),
    ])
}

/// Runs a model on sound as it comes and prints what is heard as it happens; at the end, how fast that
/// was.
pub fn follow(args: &args::Run, engine: &Engine) -> Result {
    let [input] = args.inputs.as_slice() else {
        return Err(Failure::usage(
            "--follow listens to one sound: FILE.wav, or - for standard input",
        ));
    };
    let Some(mut job) = Job::new(args, engine)? else {
        let what = "--follow: the task of this model is not known to take sound";
        return Err(
            Failure::refused(what).next("--task FILE.toml      describes it, with a [sound] table")
        );
    };
    takes_picture(args)?;
    let rate = job.stream.rate();
    let mut source = match input.to_str() {
        Some("-") => Source::standard_input(args.rate, rate)?,
        _ if args.rate.is_some() => {
            let what = "--rate is for bare samples on standard input; a WAV file has its own";
            return Err(Failure::usage(what));
        }
        _ => Source::file(input, rate)?,
    };
    let mut picture = args.out.as_ref().map(|_| Spectrogram::new(rate));
    let mut meter = Meter::default();
    let is_json = args.json;
    let (listener, seconds) =
        job.listen(&mut source, picture.as_mut(), &mut meter, MARKS, &mut |job, news| {
            show::print(&line(job, &news, is_json))
        })?;
    if let (Some(out), Some(picture)) = (&args.out, picture) {
        let image = picture.draw(&job.marks(&listener.heard, seconds))?;
        atomic_write(out, &image::encode_png(&image)?)?;
    }
    let (spent, largest) =
        (meter.spent.as_secs_f64().max(1e-9), meter.largest.as_secs_f64() * 1000.0);
    let times = seconds / spent;
    let answer = 1000.0 * spent / listener.answers.max(1) as f64;
    if is_json {
        let summary = Json::object([
            ("event", "end".into()),
            ("seconds", round(seconds).into()),
            ("answers", listener.answers.into()),
            ("times_real_time", times.into()),
            ("ms_an_answer", answer.into()),
            ("ms_largest", largest.into()),
        ]);
        return show::print(&format!("{summary}\n"));
    }
    show::note(&format!(
        "{} s of sound in {} s, {} times real time; {} answers, {} each, {} at most",
        show::digits(seconds),
        show::digits(spent),
        show::digits(times),
        listener.answers,
        show::ms(answer),
        show::ms(largest),
    ));
    Ok(())
}

/// One line of what has just happened.
fn line(job: &Job<'_>, news: &News, is_json: bool) -> String {
    let is_clip = job.task.kind == "classification";
    match news {
        News::Begins(class, at, score) if is_json => {
            let event = if is_clip { "class" } else { "begin" };
            let json = Json::object([
                ("event", event.into()),
                ("time", round(*at).into()),
                ("label", job.label(*class).as_str().into()),
                ("class", (*class).into()),
                ("score", f64::from(*score).into()),
            ]);
            format!("{json}\n")
        }
        News::Begins(class, at, score) => {
            format!("{at:8.2} s  {}  {}\n", job.label(*class), share(*score).trim())
        }
        News::Ends(heard) if is_json => {
            let Json::Object(members) = job.json(heard) else { return String::new() };
            let mut all = vec![("event".to_owned(), Json::from("heard"))];
            all.extend(members);
            format!("{}\n", Json::Object(all))
        }
        News::Ends(heard) => {
            let (start, end) = (heard.start, heard.end);
            let label = job.label(heard.class);
            format!("{start:8.2} to {end:.2} s  {label}  {}\n", share(heard.score).trim())
        }
    }
}
