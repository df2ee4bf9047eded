//! From tokens to a model's inputs.
//!
//! Takes i32 `[1, T]` under the names of roles: `tokens`; `mask`, 1 where there is a token and 0
//! where a text was filled up; `types`, 1 for the second of two texts; `positions` from 0 up. T is
//! the model's own or open.

use embarca_ir::{Dim, Model, TensorType};
use embarca_num::DType;

use crate::error::TaskError;
use crate::net::{Net, Port};
use crate::spec::TextSpec;
use crate::stage::{Result, Stage};

/// More tokens than this are refused, so that no size overflows.
const MOST_TOKENS: u32 = 1 << 20;

/// What an input of a text model takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Numbers of tokens.
    Tokens,
    /// 1 for a token, 0 beyond the text.
    Mask,
    /// 0 for the first text, 1 for the second.
    Types,
    /// 0, 1, 2, ...
    Positions,
}

impl Role {
    /// The name under which it is fed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Mask => "mask",
            Self::Types => "types",
            Self::Positions => "positions",
        }
    }
}

/// Whether an input can hold a number for each token.
fn holds_tokens(port: &Port) -> bool {
    let whole = matches!(port.dtype, DType::I32 | DType::I64) && port.quant.is_none();
    whole && matches!(port.dims[..], [None | Some(1), _] | [_])
}

/// What each input of a model takes, told by their names; `None` where they are no inputs of a text
/// model beyond doubt.
pub fn roles(net: &Net) -> Option<Vec<Role>> {
    let role = |port: &Port| {
        let name = port.name.to_ascii_lowercase();
        let has = |part: &str| name.contains(part);
        if has("mask") {
            Some(Role::Mask)
        } else if has("type") || has("segment") {
            Some(Role::Types)
        } else if has("position") {
            Some(Role::Positions)
        } else {
            (has("ids") || has("token") || has("words")).then_some(Role::Tokens)
        }
    };
    let roles = net.inputs.iter().map(|port| role(port).filter(|_| holds_tokens(port)));
    let roles = roles.collect::<Option<Vec<Role>>>()?;
    (roles.iter().filter(|&&role| role == Role::Tokens).count() == 1).then_some(roles)
}

/// The front for text.
///
/// # Errors
/// An input is none that a text has, or takes several texts at once.
pub fn front(_: &TextSpec, net: &Net) -> Result<Model> {
    let roles = match (&net.inputs[..], roles(net)) {
        (_, Some(roles)) => roles,
        ([port], None) if holds_tokens(port) => vec![Role::Tokens],
        _ => {
            let names: Vec<&str> = net.inputs.iter().map(|port| port.name.as_str()).collect();
            let what = format!("the inputs {} are not told apart", names.join(", "));
            return Err(TaskError::spec(what)
                .hint("tokens, mask, types and positions are told by 'ids', 'mask', 'type' and 'position' in their names"));
        }
    };
    let mut model = Model::new("front");
    let mut stage = Stage::new(&mut model);
    let known = net.inputs.iter().find_map(|port| *port.dims.last()?);
    let length = match known {
        Some(length) => Dim::Known(length as i64),
        None => Stage::open(&mut stage.b, "text_tokens", 32, MOST_TOKENS),
    };
    for (index, (port, role)) in net.inputs.iter().zip(roles).enumerate() {
        if port.dims.last().copied().flatten() != known {
            let what = format!("input '{}' has a length of its own", port.name);
            return Err(TaskError::spec(what));
        }
        let dims = [Dim::Known(1), length.clone()];
        let x = stage.b.input(role.name(), TensorType::new(DType::I32, dims));
        let x = stage.cast(x, port.dtype)?;
        let x = if port.dims.len() == 1 {
            stage.reshape(x, std::slice::from_ref(&length))?
        } else {
            x
        };
        stage.yields(&format!("in{index}"), x);
    }
    Ok(model)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(names: &[&str], dims: &[Option<usize>]) -> Net {
        let port = |name: &&str| Port {
            name: (*name).into(),
            dtype: DType::I64,
            dims: dims.to_vec(),
            quant: None,
            finish: crate::Finish::Unknown,
        };
        Net { inputs: names.iter().map(port).collect(), ..Net::default() }
    }

    #[test]
    fn inputs_are_told_by_their_names() {
        let open = [None, None];
        let names = ["input_ids", "attention_mask", "token_type_ids"];
        let want = vec![Role::Tokens, Role::Mask, Role::Types];
        assert_eq!(roles(&net(&names, &open)), Some(want.clone()));
        let names = ["serving_default_input_word_ids:0", "input_mask", "segment_ids"];
        assert_eq!(roles(&net(&names, &[Some(1), Some(128)])), Some(want));
        assert_eq!(roles(&net(&["a", "b"], &open)), None);
        assert_eq!(roles(&net(&["attention_mask"], &open)), None);
        assert_eq!(roles(&net(&["input_ids"], &[Some(4), None])), None);
    }

    #[test]
    fn a_front_casts_and_keeps_the_length() {
        let front = |net: &Net| front(&TextSpec::default(), net);
        let model = front(&net(&["input_ids", "mask"], &[Some(1), Some(16)])).unwrap();
        let main = model.main();
        let types: Vec<String> =
            main.outputs.iter().map(|output| main.ty(output.value).to_string()).collect();
        assert_eq!(types, ["i64[1,16]", "i64[1,16]"]);
        assert!(front(&net(&["x"], &[None, None])).is_ok());
        let error = front(&net(&["x", "y"], &[None, None])).unwrap_err().to_string();
        assert!(error.contains("x, y"), "{error}");
    }
}
