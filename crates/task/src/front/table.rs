//! From rows of a table to a model's input: scaling, the order of axes, quantization.
//!
//! Takes `rows` f32 `[L, C]`: L rows of C columns at once.

use embarca_ir::{Dim, Model, Quant, TensorType, ops};
use embarca_num::DType;

use crate::error::TaskError;
use crate::net::{Net, Port};
use crate::spec::TableSpec;
use crate::stage::{Result, Stage};

/// How an input is filled with rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Rows at once.
    pub rows: usize,
    /// Numbers in a row.
    pub columns: usize,
    /// Whether the columns are the outer axis of the input.
    pub turned: bool,
}

/// How an input is filled with rows, as far as it and the description say.
///
/// # Errors
/// They contradict each other, or leave a size open.
pub fn window(spec: &TableSpec, port: &Port) -> Result<Window> {
    let mut turned = match spec.axes.as_deref() {
        None | Some("rows-columns") => false,
        Some("columns-rows") => true,
        Some(other) => {
            let known = ["rows-columns", "columns-rows"];
            return Err(TaskError::choice("table.axes", other, &known));
        }
    };
    let name = &port.name;
    let open = || {
        TaskError::spec(format!("input '{name}' leaves a size open"))
            .hint("length = N and columns = [...] say how many rows and columns it takes")
    };
    let given = (!spec.columns.is_empty()).then_some(spec.columns.len());
    // Axes of 1 say nothing, but the last one counts where there is no other.
    let dims = match &port.dims[..] {
        [None | Some(1), rest @ ..] if !rest.is_empty() => rest,
        dims => dims,
    };
    let long: Vec<Option<usize>> = dims.iter().copied().filter(|dim| *dim != Some(1)).collect();
    let (rows, columns) = match long[..] {
        [] => (1, 1),
        // Several rows in a row, or one.
        [Some(len)] => match (spec.length, given) {
            (Some(rows), _) if rows != 0 && len.is_multiple_of(rows) => (rows, len / rows),
            (None, Some(columns)) if len.is_multiple_of(columns) => (len / columns, columns),
            (None, None) if dims.len() == 1 || dims.last() == Some(&Some(len)) => (1, len),
            (None, None) => (len, 1),
            _ => {
                let what =
                    format!("input '{name}' takes {len} numbers, which is no whole number of rows");
                return Err(TaskError::spec(what)
                    .hint("length and columns say how many it takes")
                    .key(if spec.length.is_some() { "table.length" } else { "table.columns" }));
            }
        },
        [None] => (spec.length.unwrap_or(1), given.ok_or_else(open)?),
        [a, b] => {
            // What is said of rows and columns may only fit the other way round.
            let fits = |rows: Option<usize>, columns: Option<usize>| {
                let equal = |own: Option<usize>, given: Option<usize>| {
                    own.is_none() || given.is_none() || own == given
                };
                equal(rows, spec.length) && equal(columns, given)
            };
            turned |= spec.axes.is_none() && !fits(a, b) && fits(b, a);
            let (rows, columns) = if turned { (b, a) } else { (a, b) };
            (rows.or(spec.length).ok_or_else(open)?, columns.or(given).ok_or_else(open)?)
        }
        _ => {
            let what = format!("input '{name}' has {} axes; rows and columns are two", long.len());
            return Err(TaskError::spec(what));
        }
    };
    for (what, given, own) in [("length", spec.length, rows), ("columns", given, columns)] {
        if given.is_some_and(|given| given != own) || own == 0 {
            let given = given.unwrap_or(0);
            let message = format!("{what}: input '{name}' takes {own}, not {given}");
            return Err(TaskError::spec(message).key(format!("table.{what}")));
        }
    }
    Ok(Window { rows, columns, turned })
}

/// The front for tables.
///
/// # Errors
/// The description contradicts itself or the model.
pub fn front(spec: &TableSpec, net: &Net) -> Result<Model> {
    let input = spec.input;
    let missing =
        || TaskError::spec(format!("table: the model has no input {input}")).key("table.input");
    let port = net.inputs.get(input).ok_or_else(missing)?;
    let Window { rows, columns, turned } = window(spec, port)?;
    if spec.step == Some(0) {
        return Err(TaskError::spec("step is 1 or more").key("table.step"));
    }
    if spec.std.iter().any(|std| *std == 0.0 || !std.is_finite()) {
        return Err(TaskError::spec("std divides, so it cannot be 0").key("table.std"));
    }
    let mut model = Model::new("front");
    let mut stage = Stage::new(&mut model);
    let mut x = stage.b.input("rows", TensorType::of(DType::F32, &[rows, columns]));
    for (values, sub) in [(&spec.mean, true), (&spec.std, false)] {
        if values.is_empty() {
            continue;
        }
        if values.len() != 1 && values.len() != columns {
            let given = values.len();
            let key = if sub { "mean" } else { "std" };
            let what = format!("{key} takes one number or {columns}, {given} are given");
            return Err(TaskError::spec(what).key(format!("table.{key}")));
        }
        let row = stage.row(values);
        x = match sub {
            true => stage.op(ops::Sub {}, &[x, row])?,
            false => stage.op(ops::Div {}, &[x, row])?,
        };
    }
    if turned {
        x = stage.b.transpose(x, &[1, 0])?;
    }
    x = match (port.dtype, port.quant) {
        (DType::F32, _) => x,
        (DType::I8 | DType::U8 | DType::I16 | DType::I32, Some((scale, zero))) => {
            let op = ops::Requantize { to: port.dtype, rule: "onnx".to_owned() };
            let y = stage.op(op, &[x])?;
            stage.b.set_quant(y, Some(Quant::per_tensor(scale, zero)));
            y
        }
        (DType::F16 | DType::F64 | DType::I32 | DType::I64, None) => stage.cast(x, port.dtype)?,
        (other, _) => {
            let what = format!("input '{}' takes {other}, which tables do not become", port.name);
            return Err(TaskError::spec(what));
        }
    };
    // Axes that the model leaves open: a batch of one, then rows and columns in its order.
    let sizes = if turned { [columns, rows] } else { [rows, columns] };
    let batch = usize::from(1 < port.dims.len());
    let long = port.dims.iter().skip(batch).filter(|dim| **dim != Some(1)).count();
    let mut next = 0;
    let dims = port.dims.iter().enumerate().map(|(axis, dim)| match dim {
        Some(1) => 1,
        None if axis < batch => 1,
        _ => {
            next += 1;
            if long < 2 { rows * columns } else { sizes[(next - 1).min(1)] }
        }
    });
    let quant = stage.b.ty(x).quant.clone();
    let dims: Vec<Dim> = dims.map(|dim| Dim::from(dim as i64)).collect();
    let x = stage.reshape(x, &dims)?;
    stage.b.set_quant(x, quant);
    stage.yields(&format!("in{input}"), x);
    Ok(model)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(dims: &[usize]) -> Port {
        let dims = dims.iter().map(|&dim| (dim != 0).then_some(dim)).collect();
        let finish = crate::Finish::Unknown;
        Port { name: "x".into(), dtype: DType::F32, dims, quant: None, finish }
    }

    #[test]
    fn windows_are_found() {
        let plain = TableSpec::default;
        let length = |rows| TableSpec { length: Some(rows), ..plain() };
        let turned = || TableSpec { axes: Some("columns-rows".into()), ..plain() };
        let named = |n: usize| TableSpec { columns: vec!["a".into(); n], ..plain() };
        // A size of 0 is open.
        for (spec, dims, rows, columns) in [
            (plain(), &[1, 119, 6][..], 119, 6),
            (turned(), &[1, 6, 119], 119, 6),
            (plain(), &[1, 1], 1, 1),
            (plain(), &[1, 640], 1, 640),
            (length(5), &[1, 640], 5, 128),
            (named(128), &[1, 640], 5, 128),
            (plain(), &[0, 4], 1, 4),
            (plain(), &[1, 24, 1], 24, 1),
            (length(7), &[0, 0, 6], 7, 6),
            (TableSpec { length: Some(119), ..named(6) }, &[1, 6, 119], 119, 6),
            (plain(), &[1, 49, 10, 1], 49, 10),
        ] {
            let found = window(&spec, &port(dims)).unwrap();
            assert_eq!((found.rows, found.columns), (rows, columns), "{dims:?}");
            let net = Net { inputs: vec![port(dims)], ..Net::default() };
            let model = front(&spec, &net).unwrap();
            let main = model.main();
            let of = &main.ty(main.outputs[0].value).dims;
            assert_eq!(of.len(), dims.len());
            for (of, own) in of.iter().zip(dims).filter(|(_, own)| **own != 0) {
                assert_eq!(of.known(), Some(*own as i64), "{dims:?}");
            }
        }
        for (spec, dims, part) in [
            (length(7), &[1, 640][..], "no whole number of rows"),
            (plain(), &[0, 0, 6], "leaves a size open"),
            (length(3), &[1, 119, 6], "length: input 'x' takes 119, not 3"),
            (named(5), &[1, 119, 6], "columns: input 'x' takes 6, not 5"),
            (plain(), &[1, 2, 3, 4], "3 axes"),
            (TableSpec { axes: Some("nhwc".into()), ..plain() }, &[1, 4], "axes = 'nhwc'"),
        ] {
            let error = window(&spec, &port(dims)).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn columns_are_scaled_each_on_its_own() {
        let spec = |mean: &[f32], std: &[f32]| TableSpec {
            mean: mean.to_vec(),
            std: std.to_vec(),
            ..TableSpec::default()
        };
        let net = Net { inputs: vec![port(&[1, 3, 2])], ..Net::default() };
        let names = |spec: &TableSpec| {
            let model = front(spec, &net).unwrap();
            model.main().nodes.iter().map(|node| node.op.name()).collect::<Vec<_>>()
        };
        assert_eq!(names(&spec(&[-4.0, 1.0], &[8.0])), ["sub", "div", "reshape"]);
        for (spec, part) in [
            (spec(&[], &[0.0]), "std divides"),
            (spec(&[1.0; 3], &[]), "mean takes one number or 2"),
            (TableSpec { step: Some(0), ..TableSpec::default() }, "step is 1 or more"),
            (TableSpec { input: 1, ..TableSpec::default() }, "no input 1"),
        ] {
            let error = front(&spec, &net).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
