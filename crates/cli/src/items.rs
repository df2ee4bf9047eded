//! Texts, files as bytes, and rows of tables through a model and the stages of its task: answers, one
//! line each where there are several, and what they say together.

use embarca::{Feed, Src, Staged, Ty};
use embarca_data::zip::Packing;
use embarca_data::{Array, atomic_write, npy, npz};

use crate::answers::{self, similarities};
use crate::args;
use crate::engine::Engine;
use crate::failure::{Failure, Result};
use crate::json::Listing;
use crate::pictures::{to_json, to_text};
use crate::show;
use crate::verbs::run::{is_npy, write};

/// What a stage is fed, under the name of which it takes it.
pub type Fed = (&'static str, Array);

/// One thing that is asked about.
#[derive(Clone, Debug)]
pub struct Item {
    /// How it is called.
    pub name: String,
    /// What is fed.
    pub feeds: Vec<Fed>,
}

/// What all items of a command have in common.
pub struct Job<'a> {
    args: &'a args::Run,
    engine: &'a Engine,
    staged: Staged,
    /// Whether answers take one line each, with the names of their items.
    many: bool,
    json: Listing,
    /// Names, and answers that are numbers.
    names: Vec<String>,
    numbers: Vec<Vec<f32>>,
}

impl<'a> Job<'a> {
    /// Around stages, whose notes are printed.
    pub fn new(
        args: &'a args::Run,
        engine: &'a Engine,
        mut staged: Staged,
        many: bool,
    ) -> Result<Self> {
        crate::task::set(&mut staged, args)?;
        for note in &staged.task.notes {
            show::note(note);
        }
        let (json, names, numbers) = (Listing::default(), Vec::new(), Vec::new());
        Ok(Self { args, engine, staged, many, json, names, numbers })
    }

    /// Runs on one item and prints what the model says.
    pub fn item(&mut self, item: &Item) -> Result {
        let (args, engine, name) = (self.args, self.engine, &item.name);
        let dims = item.feeds.iter().map(|(_, array)| {
            let dims = array.dims.iter().map(|&dim| u32::try_from(dim));
            dims.collect::<Result<Vec<u32>, _>>()
        });
        let dims = dims.collect::<Result<Vec<_>, _>>();
        let dims = dims.map_err(|_| Failure::refused(format!("{name}: too large")))?;
        let feeds = item.feeds.iter().zip(&dims).map(|((name, array), dims)| {
            let tensor = Src { ty: Ty { dtype: array.dtype, dims }, data: &array.data };
            Feed { name, tensor }
        });
        let feeds: Vec<Feed<'_>> = feeds.collect();
        let shown = answers::shortened(name, 60);
        let run = self.staged.pipeline.run(&feeds);
        run.map_err(|error| Failure::refused(format!("{shown}: {error}")))?;
        let run = answers::Run {
            pipeline: &self.staged.pipeline,
            task: &self.staged.task,
            labels: &self.staged.task.labels,
            top: usize::try_from(args.top).unwrap_or(usize::MAX),
        };
        let said = answers::read(&run)?;
        if args.json {
            self.json.item(&to_json(name, said.as_deref(), &run, engine)?)?;
        } else if args.out.is_none() && !(self.many && run.task.kind == "sentence-embedding") {
            let text = to_text(said.as_deref(), &run, engine)?;
            let first = text.lines().next().unwrap_or_default();
            let line = if self.many { format!("{first}  {shown}\n") } else { text };
            show::print(&line)?;
        }
        let numbers = said.as_ref().map_or(&[][..], |said| said.numbers());
        if let (Some(out), []) = (&args.out, numbers) {
            if self.many {
                let what = format!("{}: --out takes the tensors of one input", out.display());
                return Err(Failure::usage(what));
            }
            let outputs: Vec<Array> = (0..engine.outputs().len())
                .map(|output| run.array(&format!("out{output}")))
                .collect::<Result<_>>()?;
            write(out, engine, &outputs, args.positional)?;
        }
        // Only what the end of the command needs is kept.
        let alike = run.task.kind == "sentence-embedding";
        let together = !args.json && (alike || run.task.kind == "anomaly");
        if !numbers.is_empty() && (together || args.out.is_some()) {
            self.numbers.push(numbers.to_vec());
            if alike {
                self.names.push(name.clone());
            }
        }
        Ok(())
    }

    /// What all answers say together, and the end of what is written.
    pub fn finish(self) -> Result {
        let args = self.args;
        if let Some(out) = &args.out {
            if let Some(width) = self.numbers.first().map(Vec::len) {
                let flat: Vec<f32> = self.numbers.iter().flatten().copied().collect();
                let rows = Array::from_slice(&[self.numbers.len(), width], &flat)?;
                let bytes = match is_npy(out) {
                    true => npy::write(&rows)?,
                    false => npz::write(&[rows.named("answers")], Packing::Stored)?,
                };
                atomic_write(out, &bytes)?;
            }
            if !args.json {
                return show::print(&format!("{}\n", out.display()));
            }
        }
        if args.json {
            return self.json.finish();
        }
        if self.numbers.len() < 2 {
            return Ok(());
        }
        match self.staged.task.kind.as_str() {
            "sentence-embedding" => {
                show::print(&similarities(&self.names, &self.numbers, &show::caps()))
            }
            "anomaly" => {
                let scores = self.numbers.iter().flatten().map(|&score| f64::from(score));
                let mean = scores.sum::<f64>() / self.numbers.len() as f64;
                let said = answers::verdict(mean, answers::threshold(&self.staged.task));
                let (mean, count) = (show::digits(mean), self.numbers.len());
                show::print(&format!("{mean}{said}  mean of {count} windows\n"))
            }
            _ => Ok(()),
        }
    }
}
