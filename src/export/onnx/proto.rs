//! The few messages of ONNX that a graph needs, in the wire format of protocol buffers. Numbers of fields are those of
//! `onnx.proto3`.

/// Types of tensors.
pub(super) const FLOAT: u64 = 1;
pub(super) const INT8: u64 = 3;
pub(super) const INT64: u64 = 7;
pub(super) const BOOL: u64 = 9;
pub(super) const FLOAT16: u64 = 10;

/// A message, field by field.
#[derive(Clone, Debug, Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    pub(super) fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    pub(super) fn text(self, field: u64, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }

    pub(super) fn message(self, field: u64, message: &Self) -> Self {
        self.bytes(field, &message.0)
    }

    pub(super) fn messages(self, field: u64, messages: &[Self]) -> Self {
        messages.iter().fold(self, |all, message| all.message(field, message))
    }

    pub(super) fn integer(mut self, field: u64, value: u64) -> Self {
        self.varint(field << 3);
        self.varint(value);
        self
    }

    pub(super) fn float(mut self, field: u64, value: f32) -> Self {
        self.varint(field << 3 | 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

/// `TensorProto`
pub(super) fn tensor(name: &str, kind: u64, shape: &[usize], bytes: &[u8]) -> Message {
    let shaped = shape.iter().fold(Message::default(), |message, &n| message.integer(1, n as u64));
    shaped.integer(2, kind).text(8, name).bytes(9, bytes)
}

/// `ValueInfoProto` of floats (N, `width`)
pub(super) fn matrix(name: &str, width: usize) -> Message {
    let of = |dimension: Message| Message::default().message(1, &dimension).finish();
    let [rows, columns] =
        [of(Message::default().text(2, "N")), of(Message::default().integer(1, width as u64))];
    let shape = Message(rows.into_iter().chain(columns).collect());
    let tensor = Message::default().integer(1, FLOAT).message(2, &shape);
    Message::default().text(1, name).message(2, &Message::default().message(1, &tensor))
}

#[test]
fn numbers_and_lengths_are_those_of_the_wire_format() {
    // The examples of the specification: field 1 with 150, field 2 with "testing".
    let message = Message::default().integer(1, 150).text(2, "testing");
    assert_eq!(message.finish(), [&[0x08, 0x96, 0x01, 0x12, 0x07][..], b"testing"].concat());
}
