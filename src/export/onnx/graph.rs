//! A graph as it grows: each operation gives the name of its result.

use super::super::rounding::Precision;
use super::proto::{BOOL, FLOAT, FLOAT16, INT8, INT64, Message, matrix, tensor};
use half::f16;

/// The first with `BitwiseXor`, which the hash of a grid needs.
const OPSET: u64 = 18;
/// Of the file format: the one that came with this opset.
const IR_VERSION: u64 = 8;

pub(super) struct Graph {
    precision: Precision,
    nodes: Vec<Message>,
    tensors: Vec<Message>,
}

impl Graph {
    pub(super) fn new(precision: Precision) -> Self {
        Self { precision, nodes: Vec::new(), tensors: Vec::new() }
    }

    pub(super) fn op(&mut self, kind: &str, inputs: &[&str]) -> String {
        self.op_with(kind, inputs, &[])
    }

    /// With integers as attributes.
    pub(super) fn op_with(&mut self, kind: &str, inputs: &[&str], attributes: &[(&str, u64)]) -> String {
        let attributes: Vec<Message> = attributes
            .iter()
            .map(|(name, value)| Message::default().text(1, name).integer(3, *value).integer(20, 2))
            .collect();
        self.node(kind, inputs, &attributes)
    }

    /// With the attribute `alpha`.
    pub(super) fn op_alpha(&mut self, kind: &str, input: &str, alpha: f32) -> String {
        let attribute = Message::default().text(1, "alpha").float(2, alpha).integer(20, 1);
        self.node(kind, &[input], &[attribute])
    }

    fn node(&mut self, kind: &str, inputs: &[&str], attributes: &[Message]) -> String {
        let name = format!("{}_{}", kind.to_lowercase(), self.nodes.len());
        let message = inputs.iter().fold(Message::default(), |message, input| message.text(1, input));
        self.nodes.push(message.text(2, &name).text(3, &name).text(4, kind).messages(5, attributes));
        name
    }

    fn tensor(&mut self, kind: u64, shape: &[usize], bytes: &[u8]) -> String {
        let name = format!("numbers_{}", self.tensors.len());
        self.tensors.push(tensor(&name, kind, shape, bytes));
        name
    }

    pub(super) fn floats(&mut self, shape: &[usize], values: &[f32]) -> String {
        self.tensor(FLOAT, shape, &values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>())
    }

    pub(super) fn integers(&mut self, shape: &[usize], values: &[i64]) -> String {
        self.tensor(INT64, shape, &values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>())
    }

    pub(super) fn booleans(&mut self, shape: &[usize], values: &[bool]) -> String {
        self.tensor(BOOL, shape, &values.iter().map(|&v| u8::from(v)).collect::<Vec<_>>())
    }

    /// Codes of the precision, as floats.
    pub(super) fn codes(&mut self, shape: &[usize], codes: &[f32]) -> String {
        let (kind, bytes): (u64, Vec<u8>) = match self.precision {
            Precision::F32 => return self.floats(shape, codes),
            Precision::F16 => (FLOAT16, codes.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect()),
            Precision::U8 => (INT8, codes.iter().map(|&v| v as i8 as u8).collect()),
        };
        let packed = self.tensor(kind, shape, &bytes);
        self.cast(&packed, FLOAT)
    }

    pub(super) fn cast(&mut self, value: &str, kind: u64) -> String {
        self.op_with("Cast", &[value], &[("to", kind)])
    }

    pub(super) fn times(&mut self, value: &str, factor: f32) -> String {
        let factor = self.floats(&[], &[factor]);
        self.op("Mul", &[value, &factor])
    }

    pub(super) fn plus(&mut self, value: &str, term: f32) -> String {
        let term = self.floats(&[], &[term]);
        self.op("Add", &[value, &term])
    }

    pub(super) fn clip(&mut self, value: &str, low: f32, high: f32) -> String {
        let [low, high] = [low, high].map(|bound| self.floats(&[], &[bound]));
        self.op("Clip", &[value, &low, &high])
    }

    pub(super) fn concat(&mut self, parts: &[String], axis: u64) -> String {
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        self.op_with("Concat", &parts, &[("axis", axis)])
    }

    pub(super) fn reshape(&mut self, value: &str, shape: &[i64]) -> String {
        let shape = self.integers(&[shape.len()], shape);
        self.op("Reshape", &[value, &shape])
    }

    /// Element `index` along `axis`, which stays, 1 long.
    pub(super) fn slice(&mut self, value: &str, axis: i64, index: i64) -> String {
        self.range(value, axis, index..index + 1)
    }

    /// Column `index` of a matrix: (N, 1).
    pub(super) fn column(&mut self, value: &str, index: usize) -> String {
        self.slice(value, 1, index as i64)
    }

    pub(super) fn first_columns(&mut self, value: &str, n: usize) -> String {
        self.range(value, 1, 0..n as i64)
    }

    fn range(&mut self, value: &str, axis: i64, range: std::ops::Range<i64>) -> String {
        let [from, to, axis] = [range.start, range.end, axis].map(|number| self.integers(&[1], &[number]));
        self.op("Slice", &[value, &from, &to, &axis])
    }

    /// The file, with `last` as its output `colors`.
    pub(super) fn finish(mut self, name: &str, about: &str, last: &str, channels: usize) -> Vec<u8> {
        let output = Message::default().text(1, last).text(2, "colors").text(4, "Identity");
        self.nodes.push(output);
        let graph = Message::default()
            .messages(1, &self.nodes)
            .text(2, if name.is_empty() { "afterimage" } else { name })
            .messages(5, &self.tensors)
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
