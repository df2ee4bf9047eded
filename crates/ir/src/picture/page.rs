//! A model to a page: what it is, what it costs, and a picture of every graph.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::PictureOptions;
use super::describe::{Family, human, short_dim};
use super::draw::{STYLE, body, escape, families, preferred_stats};
use crate::model::{Graph, Model};
use crate::stats::Stats;

/// A page that needs nothing but itself: no scripts, no fonts, no network.
pub fn html(model: &Model, options: &PictureOptions) -> String {
    let title = match (options.title.as_str(), model.graphs.first()) {
        ("", Some(main)) => main.name.as_str(),
        (title, _) => title,
    };
    let title = if title.is_empty() { "model" } else { title };
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{title}</title>\n<style>{STYLE}{PAGE_STYLE}</style>\n</head>\n<body>\n\
         <header>\n<h1>{title}</h1>\n",
        title = escape(title),
    );
    let origin = [&model.meta.format, &model.meta.producer, &model.meta.description];
    let origin: Vec<String> =
        origin.into_iter().filter(|text| !text.is_empty()).map(|text| escape(text)).collect();
    if !origin.is_empty() {
        let _ = writeln!(out, "<p class=\"origin\">{}</p>", origin.join(" · "));
    }
    let pictures: Vec<(&Graph, Stats)> =
        model.graphs.iter().map(|graph| (graph, preferred_stats(model, graph))).collect();
    if let Some((main, stats)) = pictures.first() {
        summary(&mut out, model, main, stats);
    }
    legend(&mut out, model);
    out.push_str("</header>\n<main>\n");
    for (index, (graph, stats)) in pictures.iter().enumerate() {
        if 0 < index {
            let _ = writeln!(out, "<h2>graph({index}) {}</h2>", escape(&graph.name));
        }
        let (body, width, height) = body(model, graph, stats);
        let _ = writeln!(
            out,
            "<div class=\"scroll\"><svg width=\"{width:.0}\" height=\"{height:.0}\" \
             viewBox=\"0 0 {width:.0} {height:.0}\">\n{body}</svg></div>",
        );
    }
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

/// Numbers, inputs and outputs.
fn summary(out: &mut String, model: &Model, main: &Graph, stats: &Stats) {
    let or_unknown = |count: Option<u64>| count.map_or_else(|| "unknown".to_owned(), human);
    let numbers = [
        ("nodes", human(main.nodes.len() as u64)),
        ("parameters", human(stats.parameters)),
        ("bytes of weights", human(stats.parameter_bytes)),
        ("multiply-accumulates", or_unknown(stats.macs)),
        ("bytes of activations at once", or_unknown(stats.peak_bytes)),
    ];
    out.push_str("<dl>\n");
    for (what, number) in numbers {
        let _ = writeln!(out, "<div><dd>{number}</dd><dt>{what}</dt></div>");
    }
    out.push_str("</dl>\n<p class=\"ports\">");
    let value = |id: crate::ValueId| main.values.get(id.index());
    let inputs = main.inputs.iter().filter_map(|id| Some((value(*id)?.name.as_str(), value(*id)?)));
    let outputs = main.outputs.iter().filter_map(|o| Some((o.name.as_str(), value(o.value)?)));
    let all = inputs.map(|port| ("input", port)).chain(outputs.map(|port| ("output", port)));
    for (what, (name, value)) in all.take(24) {
        let dims: Vec<String> = value.ty.dims.iter().map(|dim| short_dim(dim, model)).collect();
        let ty = format!("{}[{}]", value.ty.dtype, dims.join(","));
        let _ = writeln!(
            out,
            "<span>{what} <b>{}</b> <code>{}</code></span>",
            escape(name),
            escape(&ty)
        );
    }
    out.push_str("</p>\n");
    let symbols = model.symbols.iter().take(24).map(|symbol| {
        format!(
            "<code>{}</code> = {} (of {} to {})",
            escape(&symbol.name),
            symbol.preferred,
            symbol.min,
            symbol.max
        )
    });
    let symbols: Vec<String> = symbols.collect();
    if !symbols.is_empty() {
        let _ = writeln!(out, "<p class=\"origin\">Costs for {}</p>", symbols.join(", "));
    }
}

fn legend(out: &mut String, model: &Model) {
    let found: BTreeSet<Family> = model.graphs.iter().flat_map(families).collect();
    out.push_str("<p class=\"legend\">");
    for family in found {
        let (class, name) = family.names();
        let _ = writeln!(
            out,
            "<span><svg class=\"{class}\" width=\"12\" height=\"12\">\
             <rect class=\"head\" width=\"12\" height=\"12\" rx=\"3\"/></svg>{name}</span>",
        );
    }
    out.push_str("</p>\n");
}

const PAGE_STYLE: &str = include_str!("page.css");
