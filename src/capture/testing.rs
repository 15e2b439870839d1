//! Builds captures for tests.

use super::file::Settings;
use super::{Batch, Fault, Input, Source as _, Status, Timeline};
use std::path::{Path, PathBuf};

/// A packet as tests compare it: time (ns), bytes, wire length, link type.
pub(super) type Seen = (i64, Vec<u8>, u32, u16);

/// Writes numbers in one byte order.
pub(super) struct Writer {
    pub bytes: Vec<u8>,
    big: bool,
}

impl Writer {
    pub fn new(big: bool) -> Self {
        Self { bytes: Vec::new(), big }
    }
    pub fn u16(&mut self, n: u16) -> &mut Self {
        self.raw(&if self.big { n.to_be_bytes() } else { n.to_le_bytes() })
    }
    pub fn u32(&mut self, n: u32) -> &mut Self {
        self.raw(&if self.big { n.to_be_bytes() } else { n.to_le_bytes() })
    }
    pub fn u64(&mut self, n: u64) -> &mut Self {
        self.raw(&if self.big { n.to_be_bytes() } else { n.to_le_bytes() })
    }
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }
    fn pad(&mut self) -> &mut Self {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self
    }
}

/// A classic pcap header.
pub(super) fn pcap_header(big: bool, nanoseconds: bool, link: u32) -> Vec<u8> {
    let mut w = Writer::new(big);
    w.u32(if nanoseconds { 0xa1b2_3c4d } else { 0xa1b2_c3d4 });
    w.u16(2).u16(4).u32(0).u32(0).u32(65_535).u32(link);
    w.bytes
}

/// A classic pcap record.
pub(super) fn pcap_record(big: bool, secs: u32, fraction: u32, data: &[u8], len: u32) -> Vec<u8> {
    let mut w = Writer::new(big);
    w.u32(secs).u32(fraction).u32(data.len() as u32).u32(len).raw(data);
    w.bytes
}

/// A pcap file with one packet of `size` bytes at each of `secs`.
pub(super) fn pcap(secs: impl IntoIterator<Item = u32>, size: usize) -> Vec<u8> {
    let mut bytes = pcap_header(false, false, 1);
    for s in secs {
        bytes.extend(pcap_record(false, s, 0, &vec![s as u8; size], size as u32));
    }
    bytes
}

/// A pcapng block around a body.
pub(super) fn block(big: bool, kind: u32, body: &[u8]) -> Vec<u8> {
    let mut w = Writer::new(big);
    let size = 12 + body.len().next_multiple_of(4) as u32;
    w.u32(kind).u32(size).raw(body).pad().u32(size);
    w.bytes
}

pub(super) fn section(big: bool) -> Vec<u8> {
    let mut w = Writer::new(big);
    w.u32(0x1a2b_3c4d).u16(1).u16(0).u64(u64::MAX);
    block(big, 0x0a0d_0d0a, &w.bytes)
}

/// Options, ended by the end-of-options option.
pub(super) fn options(big: bool, list: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut w = Writer::new(big);
    for (code, value) in list {
        w.u16(*code).u16(value.len() as u16).raw(value).pad();
    }
    if !list.is_empty() {
        w.u32(0);
    }
    w.bytes
}

pub(super) fn interface(big: bool, link: u16, snaplen: u32, list: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut w = Writer::new(big);
    w.u16(link).u16(0).u32(snaplen).raw(&options(big, list));
    block(big, 1, &w.bytes)
}

pub(super) fn enhanced(
    big: bool,
    index: u32,
    units: u64,
    data: &[u8],
    len: u32,
    list: &[(u16, Vec<u8>)],
) -> Vec<u8> {
    let mut w = Writer::new(big);
    w.u32(index).u32((units >> 32) as u32).u32(units as u32).u32(data.len() as u32).u32(len);
    w.raw(data).pad().raw(&options(big, list));
    block(big, 6, &w.bytes)
}

pub(super) fn simple(big: bool, data: &[u8], len: u32) -> Vec<u8> {
    let mut w = Writer::new(big);
    w.u32(len).raw(data);
    block(big, 3, &w.bytes)
}

pub(super) fn statistics(big: bool, index: u32, list: &[(u16, u64)]) -> Vec<u8> {
    let mut w = Writer::new(big);
    let long = |n: u64| if big { n.to_be_bytes().to_vec() } else { n.to_le_bytes().to_vec() };
    let list: Vec<_> = list.iter().map(|&(code, n)| (code, long(n))).collect();
    w.u32(index).u64(0).raw(&options(big, &list));
    block(big, 5, &w.bytes)
}

/// A folder for one test.
pub(super) struct Folder(pub tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }
    pub fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).expect("written");
        path
    }
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

/// The result of reading captures.
#[derive(Debug)]
pub(super) struct Given {
    pub packets: Vec<Seen>,
    pub faults: Vec<Fault>,
    pub inputs: Vec<Input>,
    pub readable: usize,
}

/// Takes all packets available now.
pub(super) fn drain(timeline: &mut Timeline, packets: &mut Vec<Seen>) -> Status {
    let mut batch = Batch::default();
    loop {
        batch.clear();
        match timeline.fill(&mut batch) {
            Status::More => {}
            other => return other,
        }
        packets.extend(
            batch.packets.iter().map(|p| (p.time.0, batch.bytes(p).to_vec(), p.len, p.link.0)),
        );
    }
}

/// Reads captures to the end.
pub(super) fn read_all(paths: &[PathBuf], block: usize) -> Given {
    let mut timeline = Timeline::with(paths, Settings { follow: false, block });
    let mut packets = Vec::new();
    assert_eq!(drain(&mut timeline, &mut packets), Status::End);
    let (faults, inputs) = (timeline.take_faults(), timeline.inputs());
    Given { packets, faults, inputs, readable: timeline.readable() }
}

/// Reads the bytes of a capture, plain and compressed, in blocks of `block` bytes. Both must give
/// the same result.
pub(super) fn read(bytes: &[u8], block: usize) -> Given {
    let folder = Folder::new();
    let plain = read_all(&[folder.file("a", bytes)], block);
    let packed = read_all(&[folder.file("a.gz", &gzip(bytes))], block);
    assert_eq!(plain.packets, packed.packets, "blocks of {block}");
    let offsets = |g: &Given| g.faults.iter().map(|f| f.offset).collect::<Vec<_>>();
    if !bytes.is_empty() {
        assert_eq!(offsets(&plain), offsets(&packed), "blocks of {block}");
    }
    plain
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

pub(super) fn xz(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let options = lzma_rust2::XzOptions::with_preset(1);
    let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), options).expect("options");
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

pub(super) fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

pub(super) fn lz4(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let info = lz4_flex::frame::FrameInfo::new()
        .block_size(lz4_flex::frame::BlockSize::Max64KB)
        .block_mode(lz4_flex::frame::BlockMode::Linked)
        .content_checksum(true);
    let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}
