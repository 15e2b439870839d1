//! Builds captures packet by packet.

use crate::common::packets::{ethernet, pcap_header, push_record, tcp};
use phitap::decode::tcp_flags::{ACK, SYN};

/// Bytes of a segment.
const SEGMENT: usize = 1400;

/// A capture file under construction. All of it is within seconds, so that no flow times out.
pub struct Capture {
    file: Vec<u8>,
    packets: u32,
}

impl Capture {
    pub fn new() -> Self {
        Self { file: pcap_header(1), packets: 0 }
    }

    pub fn len(&self) -> usize {
        self.file.len()
    }

    /// The file, with its first packet at `second`.
    pub fn bytes_at(&self, second: u32) -> Vec<u8> {
        let mut file = self.file.clone();
        let mut at = 24;
        while let Some(head) = file.get_mut(at..at + 16) {
            let time = u32::from_le_bytes(head[..4].try_into().expect("4 bytes"));
            head[..4].copy_from_slice(&(time + second).to_le_bytes());
            let len = u32::from_le_bytes(head[8..12].try_into().expect("4 bytes"));
            at += 16 + len as usize;
        }
        file
    }

    fn push(&mut self, frame: &[u8]) {
        push_record(&mut self.file, self.packets / 100_000, self.packets % 100_000 * 10, frame);
        self.packets += 1;
    }

    fn tcp(&mut self, from: ([u8; 4], u16), to: ([u8; 4], u16), seq: u32, syn: bool, data: &[u8]) {
        let (ack, flags) = if syn { (0, SYN) } else { (1, ACK) };
        self.push(&ethernet(&tcp(from.into(), to.into(), seq, ack, flags, data)));
    }

    /// The first packet of a connection to an invented address.
    pub fn syn(&mut self, n: u32) {
        self.tcp((client(n), 40_000), ([192, 168, 7, 1], 104), 0, true, b"");
    }

    /// A single request to an invented address.
    pub fn request(&mut self, n: u32) {
        self.tcp(
            ([10, 77, 0, 1], 40_000),
            (client(n), 80),
            1,
            false,
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        );
    }

    /// A packet of a connection of client `n` whose beginning was not captured.
    pub fn middle(&mut self, n: u32, data: &[u8]) {
        self.tcp((client(n), 40_000), ([192, 168, 7, 1], 9999), 1000, false, data);
    }

    /// The fragment of a datagram at `offset`, with more to come.
    pub fn fragment(&mut self, n: u32, offset: u16, data: &[u8]) {
        let mut frame = vec![4, 4, 4, 4, 4, 4, 2, 2, 2, 2, 2, 2, 8, 0, 0x45, 0];
        frame.extend((20 + data.len() as u16).to_be_bytes());
        frame.extend((n as u16).to_be_bytes());
        frame.extend((0x2000 | (offset / 8)).to_be_bytes());
        frame.extend([64, 17, 0, 0]);
        frame.extend(client(n));
        frame.extend([192, 168, 7, 1]);
        frame.extend(data);
        self.push(&frame);
    }

    /// A datagram of client `n`.
    pub fn datagram(&mut self, n: u32, port: u16, data: &[u8]) {
        let mut frame = vec![4, 4, 4, 4, 4, 4, 2, 2, 2, 2, 2, 2, 8, 0, 0x45, 0];
        frame.extend((28 + data.len() as u16).to_be_bytes());
        frame.extend([0, 0, 0x40, 0, 64, 17, 0, 0]);
        frame.extend(client(n));
        frame.extend([192, 168, 7, 1]);
        frame.extend([40_000, port, 8 + data.len() as u16, 0].map(u16::to_be_bytes).concat());
        frame.extend(data);
        self.push(&frame);
    }

    /// A conversation; true marks the server's turns.
    pub fn conversation(&mut self, port: u16, turns: &[(bool, Vec<u8>)]) {
        let ends = [(client(1), 40_000), ([192, 168, 7, 1], port)];
        let mut next = [1u32, 1];
        for (from, flags) in [(0, SYN), (1, SYN | ACK)] {
            let ack = u32::from(flags & ACK != 0);
            let (this, other) = (ends[from].into(), ends[1 - from].into());
            self.push(&ethernet(&tcp(this, other, 0, ack, flags, b"")));
        }
        for (server, bytes) in turns {
            let from = usize::from(*server);
            let (this, other) = (ends[from].into(), ends[1 - from].into());
            for piece in bytes.chunks(SEGMENT) {
                let packet = tcp(this, other, next[from], next[1 - from], ACK, piece);
                self.push(&ethernet(&packet));
                next[from] = next[from].wrapping_add(piece.len() as u32);
            }
        }
    }

    /// A connection of client `n`.
    pub fn flow(&mut self, n: u32, port: u16) -> Flow<'_> {
        self.flow_between(client(n), 40_000, port)
    }

    pub fn flow_between(&mut self, client: [u8; 4], from: u16, port: u16) -> Flow<'_> {
        let flow =
            Flow { from: (client, from), to: ([192, 168, 7, 1], port), seq: 1, capture: self };
        flow.capture.tcp(flow.from, flow.to, 0, true, b"");
        flow
    }
}

/// An invented address.
fn client(n: u32) -> [u8; 4] {
    let [_, a, b, c] = n.to_be_bytes();
    [10, 100 + a, b, c]
}

/// Sends as a client.
pub struct Flow<'a> {
    capture: &'a mut Capture,
    from: ([u8; 4], u16),
    to: ([u8; 4], u16),
    seq: u32,
}

impl Flow<'_> {
    pub fn say(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(SEGMENT) {
            self.capture.tcp(self.from, self.to, self.seq, false, piece);
            self.seq = self.seq.wrapping_add(piece.len() as u32);
        }
    }

    /// Takes the bytes written so far.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.capture.file)
    }

    /// Sends `bytes` in one packet, `times` times. The packet is built once, because checksums over
    /// gigabytes would take longer than the test.
    pub fn say_again(
        &mut self,
        bytes: &[u8],
        times: u64,
        out: &mut impl std::io::Write,
    ) -> std::io::Result<()> {
        /// The record's header, Ethernet, IPv4, ports.
        const SEQUENCE: usize = 16 + 14 + 20 + 4;
        out.write_all(&self.take())?;
        self.capture.tcp(self.from, self.to, self.seq, false, bytes);
        let mut packet = self.take();
        for _ in 0..times {
            packet[SEQUENCE..SEQUENCE + 4].copy_from_slice(&self.seq.to_be_bytes());
            out.write_all(&packet)?;
            self.seq = self.seq.wrapping_add(bytes.len() as u32);
        }
        Ok(())
    }

    pub fn lose(&mut self, bytes: u32) {
        self.seq = self.seq.wrapping_add(bytes);
    }

    pub fn say_backwards(&mut self, bytes: &[u8], size: usize) {
        for (n, piece) in bytes.chunks(size).enumerate().rev() {
            let seq = self.seq.wrapping_add((n * size) as u32);
            self.capture.tcp(self.from, self.to, seq, false, piece);
        }
        self.seq = self.seq.wrapping_add(bytes.len() as u32);
    }

    pub fn post(&mut self, media: &str, coding: &str, body: &[u8]) {
        let coding = match coding {
            "" => String::new(),
            coding => format!("Content-Encoding: {coding}\r\n"),
        };
        let head = format!(
            "POST /x HTTP/1.1\r\nHost: a\r\nContent-Type: {media}\r\n{coding}Content-Length: {}\r\n\r\n",
            body.len()
        );
        self.say(&[head.as_bytes(), body].concat());
    }
}
