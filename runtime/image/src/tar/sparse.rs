//! Where the data of a file with holes belongs.

/// The most parts that a map may have: they are all in memory at once.
pub const MAX_PARTS: usize = 1 << 20;

/// What is wrong with a map that has more.
pub const TOO_MANY: &str = "the map of a sparse file has more than a million parts";

/// The parts of a sparse file that are data; the rest is holes.
#[derive(Debug)]
pub struct SparseMap {
    /// Offset and length of each part, in the order of the file.
    pub chunks: Vec<(u64, u64)>,
    /// The size of the file with its holes.
    pub size: u64,
}

impl SparseMap {
    /// A map for a file of `size` bytes whose archive has `data` bytes of it.
    ///
    /// # Errors
    /// The parts overlap, leave the file, or are not as long as the data.
    pub fn new(chunks: Vec<(u64, u64)>, size: u64, data: u64) -> Result<SparseMap, &'static str> {
        let (mut end, mut sum) = (0u64, 0u64);
        for &(offset, length) in &chunks {
            if offset < end {
                return Err("the parts of a sparse file overlap");
            }
            end = offset.checked_add(length).ok_or("a part of a sparse file has no end")?;
            sum += length;
        }
        match (end <= size && size <= i64::MAX as u64, sum == data) {
            (false, _) => Err("a part of a sparse file is outside of it"),
            (_, false) => Err("the map of a sparse file does not match its data"),
            _ => Ok(SparseMap { chunks, size }),
        }
    }
}

/// The map of PAX form 1.0, while it is read: a count, then twice as many
/// offsets and lengths, a number a line.
#[derive(Default)]
pub struct Numbers {
    line: String,
    numbers: Vec<u64>,
}

impl Numbers {
    /// Reads one block of the map.
    ///
    /// # Errors
    /// Something in it is no number.
    pub fn read(&mut self, block: &[u8]) -> Result<(), &'static str> {
        for &byte in block {
            match byte {
                _ if self.are_complete() => break,
                b'\n' => {
                    let number = self.line.parse();
                    self.numbers.push(number.map_err(|_| "the map of a sparse file is no map")?);
                    if self.numbers.len() > 2 * MAX_PARTS + 1 {
                        return Err(TOO_MANY);
                    }
                    self.line.clear();
                }
                b'0'..=b'9' if self.line.len() < 20 => self.line.push(byte.into()),
                _ => return Err("the map of a sparse file is no map"),
            }
        }
        Ok(())
    }

    /// Whether all numbers were read.
    pub fn are_complete(&self) -> bool {
        let count = |&parts: &u64| parts.saturating_mul(2).saturating_add(1);
        self.numbers.first().is_some_and(|parts| self.numbers.len() as u64 >= count(parts))
    }

    /// Offset and length of each part.
    pub fn chunks(self) -> Vec<(u64, u64)> {
        self.numbers[1..].chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
    }
}
