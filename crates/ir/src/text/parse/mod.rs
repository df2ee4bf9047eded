//! Text to a model.

mod finish;
mod types;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use embarca_num::DType;

use super::lex::{Lexer, Pos, TextError, Token};
use super::{MAX_INLINE, hash};
use crate::ids::{ConstId, GraphId, NodeId, SymbolId, ValueId};
use crate::model::{Def, Graph, Meta, Model, Node, Output, State, Symbol};
use crate::ops::Op;
use crate::types::{Const, TensorType};

/// How deep dimensions and lists may be nested.
const MAX_NESTING: usize = 48;

/// Elements of known values and scales that a text may ask for beyond its own length, so that
/// mentioning one blob often does not fill the memory.
const MAX_EXPANSION: usize = 1 << 20;

type Result<T> = std::result::Result<T, TextError>;

/// Reads the text form of a model. `blobs[n]` is what `@n` stands for.
///
/// # Errors
/// With the place, when the text is not a model or its types contradict shape inference. The result
/// is complete, but only [`crate::verify()`] says whether it is sound.
pub fn parse(text: &str, blobs: &[Arc<[u8]>]) -> Result<Model> {
    let mut parser = Parser::new(text, blobs)?;
    let model = parser.model()?;
    if model.graphs.is_empty() {
        return Err(parser.lexer.error(text.len(), "a model has at least one graph"));
    }
    Ok(model)
}

/// Reads what [`crate::text::print_meta`] wrote.
///
/// # Errors
/// With the place, when the text is something else.
pub fn parse_meta(text: &str) -> Result<Meta> {
    let mut parser = Parser::new(text, &[])?;
    while parser.token != Token::End {
        let key = parser.word("a key")?;
        if !parser.meta(key)? {
            return Err(parser.lexer.error(parser.previous, format!("unknown key '{key}'")));
        }
    }
    Ok(parser.meta)
}

/// A value as the text introduces it.
struct Draft {
    pos: Pos,
    id: u32,
    name: String,
    /// `None` when it is left to inference.
    ty: Option<TensorType>,
    def: Def,
}

/// A graph as the text introduces it.
#[derive(Default)]
struct GraphDraft {
    graph: Graph,
    values: Vec<Draft>,
    defined: BTreeSet<u32>,
    /// Where each node begins.
    places: Vec<Pos>,
    /// The states that have a `next`, by value.
    nexts: BTreeMap<u32, ValueId>,
}

struct Parser<'t> {
    lexer: Lexer<'t>,
    /// The token to be read next, and where it starts.
    token: Token<'t>,
    pos: Pos,
    /// Where the token before it starts.
    previous: Pos,
    blobs: &'t [Arc<[u8]>],
    meta: Meta,
    symbols: Vec<Symbol>,
    symbol_ids: HashMap<String, SymbolId>,
    consts: BTreeMap<u32, Const>,
    /// What is left of [`MAX_EXPANSION`].
    budget: usize,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str, blobs: &'t [Arc<[u8]>]) -> Result<Self> {
        let mut lexer = Lexer::new(text);
        let (pos, token) = lexer.next()?;
        Ok(Self {
            lexer,
            token,
            pos,
            previous: pos,
            blobs,
            meta: Meta::default(),
            symbols: Vec::new(),
            symbol_ids: HashMap::new(),
            consts: BTreeMap::new(),
            budget: text.len().saturating_add(MAX_EXPANSION),
        })
    }

    // Tokens.

    /// The token behind the next one.
    fn peek(&self) -> Result<Token<'t>> {
        self.lexer.clone().next().map(|(_, token)| token)
    }

    fn advance(&mut self) -> Result<Token<'t>> {
        self.previous = self.pos;
        let (pos, token) = self.lexer.next()?;
        self.pos = pos;
        Ok(std::mem::replace(&mut self.token, token))
    }

    fn fail<T>(&self, message: impl Into<String>) -> Result<T> {
        Err(self.lexer.error(self.pos, message))
    }

    fn expected<T>(&self, what: &str) -> Result<T> {
        self.fail(format!("expected {what}, found {}", self.token))
    }

    fn is(&self, sign: char) -> bool {
        self.token == Token::Sign(sign)
    }

    fn eat(&mut self, sign: char) -> Result<bool> {
        let found = self.is(sign);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn want(&mut self, sign: char) -> Result<()> {
        if self.eat(sign)? { Ok(()) } else { self.expected(&format!("'{sign}'")) }
    }

    fn eat_word(&mut self, word: &str) -> Result<bool> {
        let found = self.token == Token::Word(word);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn word(&mut self, what: &str) -> Result<&'t str> {
        let Token::Word(word) = self.token else { return self.expected(what) };
        self.advance()?;
        Ok(word)
    }

    fn text(&mut self) -> Result<String> {
        if !matches!(self.token, Token::Text(_)) {
            return self.expected("a string in quotes");
        }
        match self.advance()? {
            Token::Text(text) => Ok(text),
            _ => self.expected("a string in quotes"),
        }
    }

    fn optional_text(&mut self) -> Result<String> {
        if matches!(self.token, Token::Text(_)) { self.text() } else { Ok(String::new()) }
    }

    fn value_id(&mut self) -> Result<u32> {
        let Token::Value(id) = self.token else { return self.expected("a value such as %0") };
        self.advance()?;
        Ok(id)
    }

    /// The number of an axis or an output.
    fn place(&mut self) -> Result<usize> {
        let pos = self.pos;
        let number = self.number()?;
        number.parse().map_err(|_| self.lexer.error(pos, format!("{number} is no place")))
    }

    /// Digits with their sign, or `inf` or `nan`, for [`str::parse`].
    fn number(&mut self) -> Result<String> {
        let sign = if self.eat('-')? { "-" } else { "" };
        let digits = match self.token {
            Token::Number(digits) => digits,
            Token::Word(word @ ("inf" | "nan")) => word,
            _ => return self.expected("a number"),
        };
        self.advance()?;
        Ok(format!("{sign}{digits}"))
    }

    fn parsed<T: std::str::FromStr>(&mut self, what: &str) -> Result<T> {
        let pos = self.pos;
        let number = self.number()?;
        number.parse().map_err(|_| self.lexer.error(pos, format!("{number} is not {what}")))
    }

    fn float(&mut self) -> Result<f32> {
        self.parsed("a real number")
    }

    /// Items between brackets, with a comma between them and perhaps one behind the last.
    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        self.want('[')?;
        let mut items = Vec::new();
        while !self.is(']') {
            items.push(item(self)?);
            if !self.eat(',')? {
                break;
            }
        }
        self.want(']')?;
        Ok(items)
    }

    fn spend(&mut self, pos: Pos, elements: usize) -> Result<()> {
        match self.budget.checked_sub(elements) {
            Some(left) => self.budget = left,
            None => return Err(self.lexer.error(pos, "the text asks for too much memory")),
        }
        Ok(())
    }

    // The model.

    fn model(&mut self) -> Result<Model> {
        if !self.eat_word("model")? {
            return self.expected("'model v1'");
        }
        let pos = self.pos;
        let version = self.word("'v1'")?;
        if version != "v1" {
            let message = format!("the graph text has version {version}; this program reads v1");
            return Err(self.lexer.error(pos, message));
        }
        let mut drafts = Vec::new();
        while self.token != Token::End {
            let key = self.word("'symbol', 'const' or 'graph'")?;
            match key {
                "symbol" => self.symbol()?,
                "const" => {
                    let Token::Const(id) = self.token else { return self.expected("#n") };
                    self.advance()?;
                    let pos = self.pos;
                    let ty = self.ty()?;
                    self.content(pos, id, &ty)?;
                }
                "graph" => drafts.push(self.graph(GraphId::new(drafts.len()))?),
                _ if self.meta(key)? => {}
                _ => {
                    let message = format!("expected 'symbol', 'const' or 'graph', found '{key}'");
                    return Err(self.lexer.error(self.previous, message));
                }
            }
        }
        let consts = std::mem::take(&mut self.consts);
        let end = self.pos;
        if let Some((hole, _)) = (0u32..).zip(consts.keys()).find(|(index, id)| index != *id) {
            return Err(self.lexer.error(end, format!("constant #{hole} is nowhere given")));
        }
        let mut model = Model {
            graphs: Vec::with_capacity(drafts.len()),
            consts: consts.into_values().collect(),
            symbols: std::mem::take(&mut self.symbols),
            meta: std::mem::take(&mut self.meta),
        };
        for draft in drafts {
            let graph = self.finish(&model, draft)?;
            model.graphs.push(graph);
        }
        Ok(model)
    }

    /// One entry for people and front ends; false when `key` is none.
    fn meta(&mut self, key: &str) -> Result<bool> {
        match key {
            "format" => self.meta.format = self.text()?,
            "description" => self.meta.description = self.text()?,
            "producer" => self.meta.producer = self.text()?,
            "labels" => self.meta.labels = self.list(Self::text)?,
            "mean" => self.meta.mean = self.list(Self::float)?,
            "std" => self.meta.std = self.list(Self::float)?,
            "properties" => {
                let pos = self.pos;
                let words = self.list(Self::text)?;
                let (pairs, []) = words.as_chunks::<2>() else {
                    return Err(self.lexer.error(pos, "expected keys, each with a value"));
                };
                let pairs = pairs.iter().cloned().map(<(String, String)>::from);
                self.meta.properties = pairs.collect();
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn symbol(&mut self) -> Result<()> {
        let pos = self.pos;
        let name = match self.token {
            Token::Word(word) => {
                self.advance()?;
                word.to_owned()
            }
            _ => {
                self.want('$')?;
                self.text()?
            }
        };
        let id = SymbolId::new(self.symbols.len());
        if self.symbol_ids.insert(name.clone(), id).is_some() {
            return Err(self.lexer.error(pos, format!("the symbol '{name}' exists already")));
        }
        let pos = self.pos;
        let range = self.list(|parser| parser.parsed("a number of 32 bits"))?;
        let [min, preferred, max] = range[..] else {
            return Err(self.lexer.error(pos, "expected [smallest, preferred, largest]"));
        };
        self.symbols.push(Symbol { name, min, preferred, max });
        Ok(())
    }

    fn graph(&mut self, id: GraphId) -> Result<GraphDraft> {
        let name = match self.token {
            Token::Word(word) => {
                self.advance()?;
                word.to_owned()
            }
            _ => self.text()?,
        };
        let graph = Graph { name, ..Graph::default() };
        let mut draft = GraphDraft { graph, ..GraphDraft::default() };
        self.want('{')?;
        while !self.is('}') {
            match self.token {
                Token::Value(_) => self.definition(&mut draft)?,
                Token::Word("output") => {
                    self.advance()?;
                    let value = self.reference(&draft)?;
                    let name = self.optional_text()?;
                    let counted = match self.token {
                        Token::Word("counted") => {
                            self.advance()?;
                            let axis = self.place()?;
                            if !matches!(self.token, Token::Word("by")) {
                                return self.expected("'by'");
                            }
                            self.advance()?;
                            Some((axis, self.place()?))
                        }
                        _ => None,
                    };
                    draft.graph.outputs.push(Output { name, value, counted });
                }
                Token::Word("next") => {
                    self.advance()?;
                    let pos = self.pos;
                    let state = self.value_id()?;
                    self.want('=')?;
                    let next = self.reference(&draft)?;
                    if draft.nexts.insert(state, next).is_some() {
                        let message = format!("%{state} has a next value already");
                        return Err(self.lexer.error(pos, message));
                    }
                }
                _ => return self.expected("a value, 'next', 'output' or '}'"),
            }
        }
        let end = self.pos;
        self.advance()?;
        for state in &mut draft.graph.states {
            match draft.nexts.remove(&state.value.0) {
                Some(next) => state.next = next,
                None => {
                    let (graph, value) = (id.0, state.value.0);
                    let message = format!("state %{value} of graph {graph} has no 'next'");
                    return Err(self.lexer.error(end, message));
                }
            }
        }
        match draft.nexts.keys().next() {
            Some(value) => Err(self.lexer.error(end, format!("%{value} is not a state"))),
            None => Ok(draft),
        }
    }

    /// A value that the graph has introduced before.
    fn reference(&mut self, draft: &GraphDraft) -> Result<ValueId> {
        let pos = self.pos;
        let id = self.value_id()?;
        if !draft.defined.contains(&id) {
            return Err(self.lexer.error(pos, format!("%{id} is read before it is written")));
        }
        Ok(ValueId(id))
    }

    /// `%0 "name", %1 = ...`
    fn definition(&mut self, draft: &mut GraphDraft) -> Result<()> {
        let mut left = Vec::new();
        loop {
            let pos = self.pos;
            let id = self.value_id()?;
            left.push((pos, id, self.optional_text()?));
            if !self.eat(',')? {
                break;
            }
        }
        self.want('=')?;
        let pos = self.pos;
        let kind = self.word("'input', 'const', 'state' or an operator")?;
        match kind {
            "input" | "const" | "state" => {
                let [(at, id, name)] = &mut left[..] else {
                    let message = format!("'{kind}' makes a single value");
                    return Err(self.lexer.error(pos, message));
                };
                let (def, ty) = self.leaf(kind, draft, *id)?;
                let name = std::mem::take(name);
                let value = Draft { pos: *at, id: *id, name, ty: Some(ty), def };
                self.define(draft, value)
            }
            op => self.operation(draft, pos, op, left),
        }
    }

    fn define(&self, draft: &mut GraphDraft, value: Draft) -> Result<()> {
        if !draft.defined.insert(value.id) {
            let message = format!("%{} is written twice", value.id);
            return Err(self.lexer.error(value.pos, message));
        }
        draft.values.push(value);
        Ok(())
    }

    fn leaf(&mut self, kind: &str, draft: &mut GraphDraft, id: u32) -> Result<(Def, TensorType)> {
        match kind {
            "input" => {
                let ty = self.ty()?;
                draft.graph.inputs.push(ValueId(id));
                Ok((Def::Input(draft.graph.inputs.len() as u32 - 1), ty))
            }
            "state" => {
                let name = self.optional_text()?;
                let ty = self.ty()?;
                let initial = self.constant(&ty)?;
                let value = ValueId(id);
                draft.graph.states.push(State { name, initial, value, next: value });
                Ok((Def::State(draft.graph.states.len() as u32 - 1), ty))
            }
            _ => {
                let pos = self.pos;
                let Token::Const(id) = self.token else { return self.expected("#n") };
                self.advance()?;
                let ty = self.ty()?;
                self.content(pos, id, &ty)?;
                Ok((Def::Const(ConstId(id)), ty))
            }
        }
    }

    /// `#n`, with its content where that is new.
    fn constant(&mut self, ty: &TensorType) -> Result<ConstId> {
        let pos = self.pos;
        let Token::Const(id) = self.token else { return self.expected("#n") };
        self.advance()?;
        self.content(pos, id, ty)?;
        Ok(ConstId(id))
    }

    /// The content of constant `id`, unless it was given before.
    fn content(&mut self, pos: Pos, id: u32, ty: &TensorType) -> Result<()> {
        let Some(dims) = ty.known_dims() else {
            return Err(self.lexer.error(pos, "a constant has numbers as dimensions"));
        };
        let given = self.is('[') || matches!(self.token, Token::Blob(_));
        match (self.consts.get(&id), given) {
            (Some(data), false) if data.dtype == ty.dtype && data.dims == dims => return Ok(()),
            (Some(data), false) => {
                let message = format!("#{id} was introduced as {}", data.ty());
                return Err(self.lexer.error(pos, message));
            }
            (Some(_), true) => return self.fail(format!("the content of #{id} was given before")),
            (None, false) => return self.fail(format!("the content of #{id} must follow")),
            (None, true) => {}
        }
        let at = self.pos;
        let data = if self.is('[') { self.elements(ty.dtype)?.into() } else { self.blob()? };
        let Some(data) = Const::new(ty.dtype, dims, data) else {
            let message = format!("the content of #{id} has another size than {ty}");
            return Err(self.lexer.error(at, message));
        };
        self.consts.insert(id, data);
        Ok(())
    }

    fn elements(&mut self, dtype: DType) -> Result<Vec<u8>> {
        let pos = self.pos;
        let mut data = Vec::new();
        let items = self.list(|parser| {
            match dtype {
                DType::F32 => data.extend(parser.float_bits()?.to_le_bytes()),
                DType::F64 => data.extend(parser.parsed::<f64>("a real number")?.to_le_bytes()),
                DType::I64 => data.extend(parser.parsed::<i64>("an i64")?.to_le_bytes()),
                DType::U64 => data.extend(parser.parsed::<u64>("a u64")?.to_le_bytes()),
                DType::I32 => data.extend(parser.parsed::<i32>("an i32")?.to_le_bytes()),
                DType::U32 => data.extend(parser.parsed::<u32>("a u32")?.to_le_bytes()),
                DType::I16 => data.extend(parser.parsed::<i16>("an i16")?.to_le_bytes()),
                DType::U16 => data.extend(parser.parsed::<u16>("a u16")?.to_le_bytes()),
                DType::I8 => data.extend(parser.parsed::<i8>("an i8")?.to_le_bytes()),
                DType::U8 => data.extend(parser.parsed::<u8>("a u8")?.to_le_bytes()),
                DType::Bool => match parser.word("true or false")? {
                    "true" => data.push(1),
                    "false" => data.push(0),
                    other => return parser.fail(format!("{other} is neither true nor false")),
                },
                _ => return parser.fail(format!("elements of {dtype} are given as a blob")),
            }
            Ok(())
        })?;
        if MAX_INLINE < items.len() {
            let message = format!("more than {MAX_INLINE} elements are given as a blob");
            return Err(self.lexer.error(pos, message));
        }
        Ok(data)
    }

    /// The bits of an f32, with one spelling of "not a number".
    fn float_bits(&mut self) -> Result<u32> {
        let value = self.float()?;
        Ok(if value.is_nan() { 0x7fc0_0000 } else { value.to_bits() })
    }

    /// `@n`, possibly with its hash.
    fn blob(&mut self) -> Result<Arc<[u8]>> {
        let pos = self.pos;
        let Token::Blob(index) = self.token else { return self.expected("a blob such as @0") };
        let stated = self.lexer.hash_behind()?;
        self.advance()?;
        let Some(blob) = self.blobs.get(index as usize) else {
            return Err(self.lexer.error(pos, format!("the content of @{index} is not at hand")));
        };
        if stated.is_some_and(|stated| stated != hash(blob)) {
            return Err(self.lexer.error(pos, format!("the content of @{index} has another hash")));
        }
        Ok(blob.clone())
    }

    fn operation(
        &mut self,
        draft: &mut GraphDraft,
        pos: Pos,
        op: &str,
        left: Vec<(Pos, u32, String)>,
    ) -> Result<()> {
        self.want('(')?;
        let mut inputs = Vec::new();
        while !self.is(')') {
            let absent = self.eat_word("_")?;
            inputs.push(if absent { None } else { Some(self.reference(draft)?) });
            if !self.eat(',')? {
                break;
            }
        }
        self.want(')')?;
        let attrs = self.attrs()?;
        let op = Op::from_attrs(op, &attrs).map_err(|message| self.lexer.error(pos, message))?;
        let name = self.optional_text()?;
        let mut types = Vec::new();
        if self.token == Token::Arrow {
            self.advance()?;
            types.push(Some(self.ty()?));
            while self.eat(',')? {
                types.push(Some(self.ty()?));
            }
            if types.len() != left.len() {
                let (values, types) = (left.len(), types.len());
                let message = format!("{values} outputs have {types} types");
                return Err(self.lexer.error(pos, message));
            }
        }
        types.resize(left.len(), None);
        let node = NodeId::new(draft.graph.nodes.len());
        let outputs = left.iter().map(|(_, id, _)| ValueId(*id)).collect();
        draft.graph.nodes.push(Node { name, op, inputs, outputs });
        draft.places.push(pos);
        for (output, ((pos, id, name), ty)) in (0u32..).zip(left.into_iter().zip(types)) {
            self.define(draft, Draft { pos, id, name, ty, def: Def::Node(node, output) })?;
        }
        Ok(())
    }
}
