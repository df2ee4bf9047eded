//! Attributes, types and dimensions.

use embarca_num::DType;

use super::{MAX_NESTING, Parser, Pos, Result, Token};
use crate::attr::Attr;
use crate::dim::Dim;
use crate::ids::GraphId;
use crate::types::{MAX_RANK, Quant, TensorType};

impl Parser<'_> {
    /// `{key=value, ...}`, which may be left out.
    pub(super) fn attrs(&mut self) -> Result<Vec<(String, Attr)>> {
        let mut attrs: Vec<(String, Attr)> = Vec::new();
        if !self.eat('{')? {
            return Ok(attrs);
        }
        while !self.is('}') {
            let pos = self.pos;
            let key = self.word("an attribute's name")?;
            if attrs.iter().any(|(other, _)| other == key) {
                return Err(self.lexer.error(pos, format!("'{key}' is given twice")));
            }
            if 64 <= attrs.len() {
                return Err(self.lexer.error(pos, "no operator has so many attributes"));
            }
            self.want('=')?;
            let attr = self.attr(0)?;
            attrs.push((key.to_owned(), attr));
            if !self.eat(',')? {
                break;
            }
        }
        self.want('}')?;
        Ok(attrs)
    }

    fn attr(&mut self, depth: usize) -> Result<Attr> {
        if MAX_NESTING < depth {
            return self.fail("lists are nested too deeply");
        }
        if self.is_real()? {
            return self.float().map(Attr::Float);
        }
        match self.token {
            Token::Sign('[') => Ok(Attr::List(self.list(|parser| parser.attr(depth + 1))?)),
            Token::Text(_) => self.text().map(Attr::Word),
            Token::Word(word) if !self.symbol_ids.contains_key(word) => {
                match (word, self.peek()? == Token::Sign('(')) {
                    ("graph", true) => {
                        self.advance()?;
                        self.want('(')?;
                        let id = self.parsed("the number of a graph")?;
                        self.want(')')?;
                        Ok(Attr::Graph(GraphId(id)))
                    }
                    (_, true) => self.dim().map(Attr::Dim),
                    (_, false) => {
                        self.advance()?;
                        Ok(Attr::Word(word.to_owned()))
                    }
                }
            }
            _ => self.dim().map(Attr::Dim),
        }
    }

    /// Whether a real number follows, as opposed to a whole one.
    fn is_real(&self) -> Result<bool> {
        let after_sign = if self.is('-') { Some(self.peek()?) } else { None };
        Ok(match after_sign.as_ref().unwrap_or(&self.token) {
            Token::Number(digits) => digits.contains(['.', 'e', 'E']),
            Token::Word(word) => matches!(*word, "inf" | "nan"),
            _ => false,
        })
    }

    // Types.

    /// `f32[batch,3]`, possibly with a quantization.
    pub(super) fn ty(&mut self) -> Result<TensorType> {
        let pos = self.pos;
        let name = self.word("a type such as f32[2,3]")?;
        let Some(dtype) = DType::from_name(name) else {
            return Err(self.lexer.error(pos, format!("there is no element type '{name}'")));
        };
        let dims = self.list(Self::dim)?;
        if MAX_RANK < dims.len() {
            return Err(self.lexer.error(pos, format!("a tensor has at most {MAX_RANK} axes")));
        }
        let quant = if self.eat_word("q")? { Some(self.quant()?) } else { None };
        Ok(TensorType { dtype, dims, quant })
    }

    /// What stands behind `q`.
    fn quant(&mut self) -> Result<Quant> {
        let pos = self.pos;
        self.want('(')?;
        let mut axis = None;
        if self.eat_word("axis")? {
            axis = Some(self.parsed("the number of an axis")?);
            self.want(':')?;
        }
        let scales = match self.token {
            Token::Sign('[') => self.list(Self::float)?,
            Token::Blob(_) => self.words()?.iter().map(|word| f32::from_le_bytes(*word)).collect(),
            _ => vec![self.float()?],
        };
        self.want(',')?;
        let zero_points = match self.token {
            Token::Sign('[') => self.list(|parser| parser.parsed("an i32"))?,
            Token::Blob(_) => self.words()?.iter().map(|word| i32::from_le_bytes(*word)).collect(),
            _ => vec![self.parsed("an i32")?; scales.len()],
        };
        self.want(')')?;
        self.spend(pos, scales.len().saturating_add(zero_points.len()))?;
        Ok(Quant { scales, zero_points, axis })
    }

    /// A blob of four-byte numbers.
    fn words(&mut self) -> Result<Vec<[u8; 4]>> {
        let pos = self.pos;
        let blob = self.blob()?;
        let (words, rest) = blob.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(self.lexer.error(pos, "the blob does not hold numbers of four bytes"));
        }
        // Bounded before it is copied: one blob may be mentioned many times.
        self.spend(pos, words.len())?;
        Ok(words.to_vec())
    }

    // Dimensions.

    fn dim(&mut self) -> Result<Dim> {
        let pos = self.pos;
        let dim = self.sum(0)?;
        if dim.is_unknown() {
            return Err(self.lexer.error(pos, "the dimension divides by zero or is too large"));
        }
        Ok(dim)
    }

    fn sum(&mut self, depth: usize) -> Result<Dim> {
        if MAX_NESTING < depth {
            return self.fail("the dimension is nested too deeply");
        }
        let mut sum = Dim::Known(0);
        let mut negative = self.eat('-')?;
        loop {
            sum = sum.add(&self.product(depth, negative)?);
            negative = self.is('-');
            if !self.eat('+')? && !self.eat('-')? {
                return Ok(sum);
            }
        }
    }

    fn product(&mut self, depth: usize, negative: bool) -> Result<Dim> {
        let mut product = self.factor(depth, negative)?;
        while self.eat('*')? {
            product = product.mul(&self.factor(depth, false)?);
        }
        Ok(product)
    }

    fn factor(&mut self, depth: usize, negative: bool) -> Result<Dim> {
        let pos = self.pos;
        let dim = match self.token {
            Token::Number(digits) => {
                self.advance()?;
                // With the sign, because the smallest number has no positive twin.
                let number = format!("{}{digits}", if negative { "-" } else { "" });
                return match number.parse() {
                    Ok(value) => Ok(Dim::Known(value)),
                    Err(_) => Err(self.lexer.error(pos, format!("{number} is not a whole number"))),
                };
            }
            Token::Sign('(') => {
                self.advance()?;
                let inner = self.sum(depth + 1)?;
                self.want(')')?;
                inner
            }
            Token::Sign('$') => {
                self.advance()?;
                let name = self.text()?;
                self.symbol_named(pos, &name)?
            }
            Token::Word(word) => {
                self.advance()?;
                if self.is('(') {
                    self.call(pos, word, depth)?
                } else {
                    self.symbol_named(pos, word)?
                }
            }
            _ => return self.expected("a dimension"),
        };
        Ok(if negative { dim.mul(&Dim::Known(-1)) } else { dim })
    }

    fn symbol_named(&self, pos: Pos, name: &str) -> Result<Dim> {
        match self.symbol_ids.get(name) {
            Some(id) => Ok(Dim::symbol(*id)),
            None => Err(self.lexer.error(pos, format!("there is no symbol '{name}'"))),
        }
    }

    /// `div(a, b)` and its kind, from the parenthesis on.
    fn call(&mut self, pos: Pos, function: &str, depth: usize) -> Result<Dim> {
        self.want('(')?;
        let a = self.sum(depth + 1)?;
        self.want(',')?;
        let b = self.sum(depth + 1)?;
        self.want(')')?;
        match function {
            "div" => Ok(a.floor_div(&b)),
            "rem" => Ok(a.rem(&b)),
            "min" => Ok(a.smaller(&b)),
            "max" => Ok(a.larger(&b)),
            _ => {
                let message = format!("'{function}' is none of div, rem, min and max");
                Err(self.lexer.error(pos, message))
            }
        }
    }
}
