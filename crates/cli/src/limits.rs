//! `--limit-...`: what the file of a model may ask for.

use embarca::ImportLimits;

/// One flag for each limit of the library; its default where it is not given.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Limits on what a model's file may ask for")]
pub struct LimitArgs {
    /// Bytes of the model's file [default: 2 GiB]
    #[arg(long, value_name = "BYTES", hide_short_help = true)]
    limit_file: Option<u64>,
    /// Bytes read from files beside the model, together [default: 4 GiB]
    #[arg(long, value_name = "BYTES", hide_short_help = true)]
    limit_external: Option<u64>,
    /// Bytes that reading may take whatever the file's size [default: 10 MiB]
    #[arg(long, value_name = "BYTES", hide_short_help = true)]
    limit_memory: Option<u64>,
    /// Bytes that reading may take for each byte of the file [default: 2]
    #[arg(long, value_name = "BYTES", hide_short_help = true)]
    limit_memory_per_byte: Option<u64>,
    /// Bytes of function bodies that are read when functions are inlined [default: 256 MiB]
    #[arg(long, value_name = "BYTES", hide_short_help = true)]
    limit_inlined: Option<u64>,
    /// Tensors of all graphs together [default: 1000000]
    #[arg(long, value_name = "N", hide_short_help = true)]
    limit_tensors: Option<usize>,
    /// Nodes of all graphs together [default: 250000]
    #[arg(long, value_name = "N", hide_short_help = true)]
    limit_nodes: Option<usize>,
    /// Graphs: the main one and those that control flow calls [default: 1024]
    #[arg(long, value_name = "N", hide_short_help = true)]
    limit_graphs: Option<usize>,
    /// Elements of one tensor [default: 2^40]
    #[arg(long, value_name = "N", hide_short_help = true)]
    limit_elements: Option<u64>,
    /// Axes of one tensor, at most 8 [default: 8]
    #[arg(long, value_name = "N", hide_short_help = true, value_parser = axes)]
    limit_rank: Option<usize>,
    /// Elements of one list [default: 2^20]
    #[arg(long, value_name = "N", hide_short_help = true)]
    limit_list: Option<usize>,
    /// Bytes of one text [default: 16 MiB]
    #[arg(long, value_name = "BYTES", hide_short_help = true)]
    limit_text: Option<usize>,
    /// Messages, graphs and functions that lie one in the other [default: 64]
    #[arg(long, value_name = "N", hide_short_help = true, value_parser = clap::value_parser!(u32).range(..=256))]
    limit_nesting: Option<u32>,
}

/// Reads a number of axes; kernels know no more than 8.
fn axes(text: &str) -> Result<usize, String> {
    let axes = text.parse().ok().filter(|axes| *axes <= ImportLimits::default().rank);
    axes.ok_or_else(|| "a number from 0 to 8".to_owned())
}

impl LimitArgs {
    /// The library's limits with what is given in place of the defaults.
    pub fn limits(&self) -> ImportLimits {
        let ImportLimits {
            file_bytes,
            external_bytes,
            tensors,
            nodes,
            graphs,
            rank,
            elements,
            nesting,
            list,
            text,
            inlined_bytes,
            memory_per_byte,
            memory_base,
        } = ImportLimits::default();
        ImportLimits {
            file_bytes: self.limit_file.unwrap_or(file_bytes),
            external_bytes: self.limit_external.unwrap_or(external_bytes),
            tensors: self.limit_tensors.unwrap_or(tensors),
            nodes: self.limit_nodes.unwrap_or(nodes),
            graphs: self.limit_graphs.unwrap_or(graphs),
            rank: self.limit_rank.unwrap_or(rank),
            elements: self.limit_elements.unwrap_or(elements),
            nesting: self.limit_nesting.unwrap_or(nesting),
            list: self.limit_list.unwrap_or(list),
            text: self.limit_text.unwrap_or(text),
            inlined_bytes: self.limit_inlined.unwrap_or(inlined_bytes),
            memory_per_byte: self.limit_memory_per_byte.unwrap_or(memory_per_byte),
            memory_base: self.limit_memory.unwrap_or(memory_base),
        }
    }
}

/// The library's names of its limits, which its errors quote, and the flags that raise them.
const FLAGS: &[(&str, &str)] = &[
    ("file_bytes", "--limit-file"),
    ("external_bytes", "--limit-external"),
    ("tensors", "--limit-tensors"),
    ("nodes", "--limit-nodes"),
    ("graphs", "--limit-graphs"),
    ("rank", "--limit-rank"),
    ("elements", "--limit-elements"),
    ("nesting", "--limit-nesting"),
    ("list", "--limit-list"),
    ("text", "--limit-text"),
    ("inlined_bytes", "--limit-inlined"),
    ("memory_per_byte", "--limit-memory-per-byte"),
    ("memory_base", "--limit-memory"),
];

/// The flags that raise the limits which a refusal names.
pub fn flags(refusal: &str) -> Vec<&'static str> {
    let named = FLAGS.iter().filter(|(name, _)| refusal.contains(&format!("`{name}`")));
    named.map(|(_, flag)| *flag).collect()
}

#[cfg(test)]
mod tests {
    use clap::{Args, Command};

    use super::*;

    #[test]
    fn every_limit_has_its_flag() {
        let command = LimitArgs::augment_args(Command::new("embarca"));
        let mut there: Vec<String> = command
            .get_arguments()
            .filter_map(|arg| Some(format!("--{}", arg.get_long()?)))
            .collect();
        let mut known: Vec<String> = FLAGS.iter().map(|(_, flag)| (*flag).to_owned()).collect();
        there.sort();
        known.sort();
        assert_eq!(there, known);
        assert_eq!(flags("more tensors than `tensors` allows"), ["--limit-tensors"]);
        assert_eq!(flags("(`memory_per_byte`, `memory_base`)").len(), 2);
        let limits = LimitArgs { limit_tensors: Some(7), ..LimitArgs::default() }.limits();
        assert_eq!(limits, ImportLimits { tensors: 7, ..ImportLimits::default() });
    }
}
