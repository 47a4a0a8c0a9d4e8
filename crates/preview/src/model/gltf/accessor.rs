//! Numbers out of buffers, by accessors that may say anything: every range is compared with what is there before a byte
//! of it is read.

use std::io::{Read, Seek, SeekFrom};

use super::super::VERTICES_MAX;
use super::COMPRESSIONS;
use super::compressed;
use super::schema::{Accessor, Document};

/// Bytes that one accessor may stretch over.
const SPAN_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// Where a buffer's bytes are.
pub(super) enum Buffer {
    /// In the GLB file itself.
    Within { start: u64, length: u64 },
    /// Here.
    Held(Vec<u8>),
}

/// What accessors are read from.
pub(super) struct Source<'a, R> {
    pub(super) content: &'a mut R,
    pub(super) document: &'a Document,
    pub(super) buffers: Vec<Buffer>,
}

/// How numbers lie in a view.
struct Lie {
    view: usize,
    offset: u64,
    count: usize,
    component: Component,
    /// Components to an element.
    width: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Component {
    I8,
    U8,
    I16,
    U16,
    U32,
    F32,
}

impl Component {
    fn of(code: u32) -> Result<Self, String> {
        Ok(match code {
            5120 => Self::I8,
            5121 => Self::U8,
            5122 => Self::I16,
            5123 => Self::U16,
            5125 => Self::U32,
            5126 => Self::F32,
            _ => return Err("a part of the model holds numbers of an unknown kind".into()),
        })
    }

    fn bytes(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::U32 | Self::F32 => 4,
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "no position is a whole number of 32 bits"
    )]
    fn float(self, bytes: &[u8], normalized: bool) -> f32 {
        let (value, most) = match self {
            Self::I8 => (f32::from(bytes[0].cast_signed()), 127.0),
            Self::U8 => (f32::from(bytes[0]), 255.0),
            Self::I16 => (f32::from(i16::from_le_bytes([bytes[0], bytes[1]])), 32767.0),
            Self::U16 => (f32::from(u16::from_le_bytes([bytes[0], bytes[1]])), 65535.0),
            Self::U32 => (self.whole(bytes) as f32, 1.0),
            Self::F32 => {
                return f32::from_le_bytes(bytes[..4].try_into().expect("four bytes"));
            }
        };
        if normalized {
            (value / most).max(-1.0)
        } else {
            value
        }
    }

    fn whole(self, bytes: &[u8]) -> u32 {
        match self {
            Self::U8 => u32::from(bytes[0]),
            Self::U16 => u32::from(u16::from_le_bytes([bytes[0], bytes[1]])),
            Self::U32 => u32::from_le_bytes(bytes[..4].try_into().expect("four bytes")),
            // Nothing counts in these.
            Self::I8 | Self::I16 | Self::F32 => u32::MAX,
        }
    }
}

impl<'a, R: Read + Seek> Source<'a, R> {
    /// `width` numbers to an element.
    pub(super) fn floats(&mut self, at: usize, width: usize) -> Result<Vec<f32>, String> {
        let accessor = self.accessor(at)?;
        let shape = match width {
            3 => "VEC3",
            _ => "VEC4",
        };
        if accessor.shape != shape {
            return Err(format!(
                "a part of the model is {} where {shape} is needed",
                first_chars(&accessor.shape)
            ));
        }
        let component = Component::of(accessor.component_type)?;
        let normalized = accessor.normalized;
        let mut out = vec![0.0; accessor.count * width];
        let lie = accessor.buffer_view.map(|view| Lie {
            view,
            offset: accessor.byte_offset,
            count: accessor.count,
            component,
            width,
        });
        if let Some(lie) = lie {
            self.each(&lie, |at, bytes| {
                out[at] = component.float(bytes, normalized);
            })?;
        } else if accessor.sparse.is_none() {
            return Err("a part of the model has no data of its own; it may be compressed".into());
        }
        if let Some(sparse) = &accessor.sparse {
            if sparse.count > accessor.count {
                return Err("a part of the model replaces more than there is".into());
            }
            let index_component = Component::of(sparse.indices.component_type)?;
            let mut places = vec![0; sparse.count];
            let lie = Lie {
                view: sparse.indices.buffer_view,
                offset: sparse.indices.byte_offset,
                count: sparse.count,
                component: index_component,
                width: 1,
            };
            self.each(&lie, |at, bytes| places[at] = index_component.whole(bytes))?;
            let lie = Lie {
                view: sparse.values.buffer_view,
                offset: sparse.values.byte_offset,
                count: sparse.count,
                component,
                width,
            };
            self.each(&lie, |at, bytes| {
                let place = (places[at / width] as usize).checked_mul(width);
                let slot = place.and_then(|place| out.get_mut(place + at % width));
                if let Some(slot) = slot {
                    *slot = component.float(bytes, normalized);
                }
            })?;
        }
        Ok(out)
    }

    /// Whole numbers, one to an element.
    pub(super) fn indices(&mut self, at: usize) -> Result<Vec<u32>, String> {
        let accessor = self.accessor(at)?;
        let component = Component::of(accessor.component_type)?;
        let mut out = vec![0; accessor.count];
        let Some(view) = accessor.buffer_view else {
            return Err("a part of the model has no data of its own; it may be compressed".into());
        };
        let lie = Lie {
            view,
            offset: accessor.byte_offset,
            count: accessor.count,
            component,
            width: 1,
        };
        self.each(&lie, |at, bytes| out[at] = component.whole(bytes))?;
        Ok(out)
    }

    /// The mean of colours, with or without opacity.
    pub(super) fn mean_colour(&mut self, at: usize) -> Result<[f32; 4], String> {
        let accessor = self.accessor(at)?;
        let width = if accessor.shape == "VEC4" { 4 } else { 3 };
        let count = accessor.count;
        // Whole numbers are colours only as shares of the largest; some files forget to say so.
        let is_whole = accessor.component_type != 5126;
        let is_plain = is_whole && !accessor.normalized;
        let scale = match (is_plain, accessor.component_type) {
            (true, 5121) => 1.0 / 255.0,
            (true, 5123) => 1.0 / 65535.0,
            _ => 1.0,
        };
        let values = self.floats(at, width)?;
        let mut sums = [0.0_f64; 4];
        for colour in values.chunks_exact(width) {
            for (sum, value) in sums.iter_mut().zip(colour) {
                *sum += f64::from(value * scale);
            }
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            reason = "a colour needs no more"
        )]
        let mut mean = sums.map(|sum| (sum / count.max(1) as f64) as f32);
        if width == 3 {
            mean[3] = 1.0;
        }
        Ok(mean)
    }

    fn accessor(&self, at: usize) -> Result<&'a Accessor, String> {
        let accessor = self.document.accessors.get(at);
        let accessor = accessor.ok_or("a part of the model names data that is not there")?;
        if accessor.count > 3 * VERTICES_MAX {
            return Err("a part of the model has more points than can be shown".into());
        }
        Ok(accessor)
    }

    /// Calls `take` with the number and the bytes of each component.
    fn each(&mut self, lie: &Lie, mut take: impl FnMut(usize, &[u8])) -> Result<(), String> {
        let outside = || {
            "a part of the model lies outside its data; the file may have been cut off".to_owned()
        };
        let document = self.document;
        let view = document.views.get(lie.view).ok_or_else(outside)?;
        for (extension, name) in &COMPRESSIONS[1..] {
            if view.extensions.contains_key(*extension) {
                return Err(compressed(name));
            }
        }
        if lie.count == 0 {
            return Ok(());
        }
        let bytes = lie.component.bytes();
        let element = (bytes * lie.width) as u64;
        let stride = view
            .byte_stride
            .filter(|&stride| stride > 0)
            .unwrap_or(element);
        let span = stride
            .checked_mul(lie.count as u64 - 1)
            .and_then(|span| span.checked_add(element))
            .filter(|&span| span <= SPAN_BYTES_MAX)
            .ok_or_else(outside)?;
        let end = lie.offset.checked_add(span).ok_or_else(outside)?;
        if end > view.byte_length {
            return Err(outside());
        }
        let start = view
            .byte_offset
            .checked_add(lie.offset)
            .ok_or_else(outside)?;
        let end = start.checked_add(span).ok_or_else(outside)?;
        let read;
        let data: &[u8] = match self.buffers.get(view.buffer).ok_or_else(outside)? {
            Buffer::Held(held) => {
                let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
                let (start, end) = range.ok_or_else(outside)?;
                held.get(start..end).ok_or_else(outside)?
            }
            Buffer::Within { start: at, length } => {
                if end > *length {
                    return Err(outside());
                }
                let mut buffer = Vec::new();
                let unreadable = |error| format!("the content could not be read: {error}");
                self.content
                    .seek(SeekFrom::Start(at + start))
                    .map_err(unreadable)?;
                self.content
                    .by_ref()
                    .take(span)
                    .read_to_end(&mut buffer)
                    .map_err(unreadable)?;
                read = buffer;
                &read
            }
        };
        let stride = usize::try_from(stride).map_err(|_| outside())?;
        for number in 0..lie.count {
            let place = number * stride;
            for part in 0..lie.width {
                let at = place + part * bytes;
                let value = data.get(at..at + bytes).ok_or_else(outside)?;
                take(number * lie.width + part, value);
            }
        }
        Ok(())
    }
}

fn first_chars(text: &str) -> String {
    text.chars().take(16).collect()
}
