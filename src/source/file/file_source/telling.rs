//! Opens a stream and tells its format by the first bytes that come out of it.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use crate::source::file::detect;
use crate::source::file::detect::{Detected, Sample};
use crate::source::file::unpack::stored::Meter;
use crate::source::file::unpack::{StreamEnd, UnpackedStream};
use crate::source::file::{FileError, FileOptions, Refusal};

/// Bytes looked at to tell the format.
const SAMPLE_BYTES: usize = 64 * 1024;

/// Opens the stored bytes and tells compression and format; also returns the sample read.
pub(super) fn detect_stream(
    path: &Path,
    stored: impl Read + Send + 'static,
    meter: Arc<Meter>,
    options: &FileOptions,
) -> Result<(UnpackedStream, Vec<u8>, Detected), FileError> {
    let name = path.display().to_string();
    let stream = UnpackedStream::detect(stored, meter)
        .map_err(|error| FileError::from_io(path, error))?
        .map_err(|compression| {
            let tool = compression.refused_for().unwrap_or_default();
            FileError::Refused(name.clone(), Refusal::Compressed(compression.name(), tool))
        })?;
    let mut stream = stream.with_limit(options.decompressed_bytes_max);
    let mut sample = Vec::new();
    let mut length = SAMPLE_BYTES;
    // A first line that is not whole tells little.
    while stream.end().is_none() && sample.len() < options.line_bytes_max {
        let missing = length.saturating_sub(sample.len());
        let spilled = |error| FileError::spill(path, options, error);
        stream.read_into(&mut sample, missing).map_err(spilled)?;
        if !detect::is_short(&sample) {
            break;
        }
        length = sample.len() * 2;
    }
    let is_whole = stream.end() == Some(&StreamEnd::Whole);
    let bytes = sample.as_slice();
    let is_line = memchr::memchr(b'\n', bytes).is_some();
    if stream.end().is_some() && !is_whole && !is_line && detect::is_short(bytes) {
        return Ok((stream, sample, detect::nothing_whole()));
    }
    let detected = detect::detect(Sample { bytes, is_whole }, options.format)
        .map_err(|refusal| FileError::Refused(name, refusal))?;
    Ok((stream, sample, detected))
}
