//! Reads the map of a file with holes: from the header, or from before the data.

use std::io::{self, Read};

use tar::{GnuExtSparseHeader, GnuSparseHeader, Header};

use super::sparse::{self, SparseMap};
use super::{BLOCK, TarReader};
use mydocker_kernel::Result;

impl<R: Read> TarReader<'_, R> {
    /// The map of a file in GNU's own form: in the header, and in as many
    /// blocks after it as it takes.
    pub(super) fn gnu_sparse_map(&mut self, header: &Header, data: u64) -> Result<SparseMap> {
        let gnu = header.as_gnu().ok_or_else(|| self.damaged("a sparse file without a map"))?;
        let mut chunks = self.chunks(&gnu.sparse)?;
        let mut is_extended = gnu.is_extended();
        while is_extended {
            let mut block = GnuExtSparseHeader::new();
            self.read_exact(block.as_mut_bytes())?;
            chunks.extend(self.chunks(block.sparse())?);
            is_extended = block.is_extended();
            if chunks.len() > sparse::MAX_PARTS {
                return Err(self.damaged(sparse::TOO_MANY));
            }
        }
        let size = gnu.real_size().map_err(|error| self.damaged(error))?;
        SparseMap::new(chunks, size, data).map_err(|why| self.damaged(why))
    }

    /// Offset and length of each part that a block lists.
    fn chunks(&self, parts: &[GnuSparseHeader]) -> Result<Vec<(u64, u64)>> {
        let parts = parts.iter().filter(|part| !part.is_empty());
        let chunks = parts.map(|part| Ok((part.offset()?, part.length()?)));
        chunks.collect::<io::Result<_>>().map_err(|error| self.damaged(error))
    }

    /// The map of a file in PAX form 1.0: lines of numbers before the data.
    pub(super) fn read_sparse_map(&mut self) -> Result<Vec<(u64, u64)>> {
        let mut numbers = sparse::Numbers::default();
        while !numbers.are_complete() {
            let mut block = [0; BLOCK];
            if self.read_data(&mut block)? < BLOCK {
                return Err(self.damaged("the map of a sparse file is cut off"));
            }
            numbers.read(&block).map_err(|why| self.damaged(why))?;
        }
        Ok(numbers.chunks())
    }
}
