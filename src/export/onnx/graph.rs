//! A graph as it grows: formulas of its values become its operations.

use super::super::rounding::Precision;
use super::proto::{BOOL, FLOAT, FLOAT16, INT8, INT64, Message, matrix, tensor};
use half::f16;
use std::cell::RefCell;
use std::ops::{Add, Mul, Sub};

/// The first with `BitwiseXor`, which the hash of a grid needs.
const OPSET: u64 = 18;
/// Of the file format: the one that came with this opset.
const IR_VERSION: u64 = 8;

pub(super) struct Graph {
    precision: Precision,
    nodes: RefCell<Vec<Message>>,
    tensors: RefCell<Vec<Message>>,
    /// Of all values.
    names: RefCell<Vec<String>>,
}

/// What is given to a graph, what is stored in it, or the result of an operation.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    pub(super) graph: &'a Graph,
    index: usize,
}

impl Graph {
    pub(super) fn new(precision: Precision) -> Self {
        let (nodes, tensors, names) = Default::default();
        Self { precision, nodes, tensors, names }
    }

    pub(super) fn named(&self, name: &str) -> Value<'_> {
        let mut names = self.names.borrow_mut();
        names.push(name.to_owned());
        Value { graph: self, index: names.len() - 1 }
    }

    /// An operation with integers as attributes.
    pub(super) fn op(&self, kind: &str, inputs: &[Value<'_>], attributes: &[(&str, u64)]) -> Value<'_> {
        let attributes: Vec<Message> = attributes
            .iter()
            .map(|(name, value)| Message::default().text(1, name).integer(3, *value).integer(20, 2))
            .collect();
        self.node(kind, inputs, &attributes)
    }

    fn node(&self, kind: &str, inputs: &[Value<'_>], attributes: &[Message]) -> Value<'_> {
        let (mut nodes, names) = (self.nodes.borrow_mut(), self.names.borrow());
        let name = format!("{}_{}", kind.to_lowercase(), nodes.len());
        let inputs = inputs.iter().map(|input| &names[input.index]);
        let message = inputs.fold(Message::default(), |message, input| message.text(1, input));
        nodes.push(message.text(2, &name).text(3, &name).text(4, kind).messages(5, attributes));
        drop(names);
        self.named(&name)
    }

    fn tensor(&self, kind: u64, shape: &[usize], bytes: &[u8]) -> Value<'_> {
        let mut tensors = self.tensors.borrow_mut();
        let name = format!("numbers_{}", tensors.len());
        tensors.push(tensor(&name, kind, shape, bytes));
        self.named(&name)
    }

    pub(super) fn floats(&self, shape: &[usize], values: &[f32]) -> Value<'_> {
        self.tensor(FLOAT, shape, &values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>())
    }

    pub(super) fn integers(&self, shape: &[usize], values: &[i64]) -> Value<'_> {
        self.tensor(INT64, shape, &values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>())
    }

    pub(super) fn booleans(&self, shape: &[usize], values: &[bool]) -> Value<'_> {
        self.tensor(BOOL, shape, &values.iter().map(|&v| u8::from(v)).collect::<Vec<_>>())
    }

    /// Codes of the precision, as floats.
    pub(super) fn codes(&self, shape: &[usize], codes: &[f32]) -> Value<'_> {
        let (kind, bytes): (u64, Vec<u8>) = match self.precision {
            Precision::F32 => return self.floats(shape, codes),
            Precision::F16 => (FLOAT16, codes.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect()),
            Precision::U8 => (INT8, codes.iter().map(|&v| v as i8 as u8).collect()),
        };
        self.tensor(kind, shape, &bytes).cast(FLOAT)
    }

    pub(super) fn concat(&self, parts: &[Value<'_>], axis: u64) -> Value<'_> {
        self.op("Concat", parts, &[("axis", axis)])
    }

    /// The file, with `last` as its output `colors`.
    pub(super) fn finish(&self, name: &str, about: &str, last: Value<'_>, channels: usize) -> Vec<u8> {
        let output = Message::default().text(1, &self.names.borrow()[last.index]);
        self.nodes.borrow_mut().push(output.text(2, "colors").text(4, "Identity"));
        let graph = Message::default()
            .messages(1, &self.nodes.borrow())
            .text(2, if name.is_empty() { "afterimage" } else { name })
            .messages(5, &self.tensors.borrow())
            .message(11, &matrix("uv", 2))
            .message(12, &matrix("colors", channels));
        Message::default()
            .integer(1, IR_VERSION)
            .text(2, "afterimage")
            .text(6, about)
            .message(7, &graph)
            .message(8, &Message::default().integer(2, OPSET))
            .finish()
    }
}

impl Value<'_> {
    /// An operation on this value.
    pub(super) fn op(self, kind: &str) -> Self {
        self.graph.op(kind, &[self], &[])
    }

    /// An operation on this value and another.
    pub(super) fn with(self, kind: &str, other: Self) -> Self {
        self.graph.op(kind, &[self, other], &[])
    }

    /// An operation with the attribute `alpha`.
    pub(super) fn op_alpha(self, kind: &str, alpha: f32) -> Self {
        let attribute = Message::default().text(1, "alpha").float(2, alpha).integer(20, 1);
        self.graph.node(kind, &[self], &[attribute])
    }

    pub(super) fn cast(self, kind: u64) -> Self {
        self.graph.op("Cast", &[self], &[("to", kind)])
    }

    pub(super) fn clip(self, low: f32, high: f32) -> Self {
        let [low, high] = [low, high].map(|bound| self.graph.floats(&[], &[bound]));
        self.graph.op("Clip", &[self, low, high], &[])
    }

    pub(super) fn reshape(self, shape: &[i64]) -> Self {
        self.with("Reshape", self.graph.integers(&[shape.len()], shape))
    }

    /// Element `index` along `axis`, which stays, 1 long.
    pub(super) fn slice(self, axis: i64, index: i64) -> Self {
        self.range(axis, index..index + 1)
    }

    /// Column `index` of a matrix: (N, 1).
    pub(super) fn column(self, index: usize) -> Self {
        self.slice(1, index as i64)
    }

    pub(super) fn first_columns(self, n: usize) -> Self {
        self.range(1, 0..n as i64)
    }

    fn range(self, axis: i64, range: std::ops::Range<i64>) -> Self {
        let [from, to, axis] =
            [range.start, range.end, axis].map(|number| self.graph.integers(&[1], &[number]));
        self.graph.op("Slice", &[self, from, to, axis], &[])
    }
}

/// The right side of an operator: a value, or a number that becomes one.
pub(super) trait Operand<'a> {
    fn on(self, graph: &'a Graph) -> Value<'a>;
}

impl<'a> Operand<'a> for Value<'a> {
    fn on(self, _: &'a Graph) -> Self {
        self
    }
}

impl<'a> Operand<'a> for f32 {
    fn on(self, graph: &'a Graph) -> Value<'a> {
        graph.floats(&[], &[self])
    }
}

macro_rules! operators {
    ($($operator:ident $method:ident $kind:literal;)+) => {
        $(impl<'a, T: Operand<'a>> $operator<T> for Value<'a> {
            type Output = Self;

            fn $method(self, other: T) -> Self {
                self.with($kind, other.on(self.graph))
            }
        })+
    };
}

operators! {
    Add add "Add";
    Sub sub "Sub";
    Mul mul "Mul";
}
