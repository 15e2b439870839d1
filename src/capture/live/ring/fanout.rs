//! Chooses the ring of a packet: a classic BPF program for PACKET_FANOUT_CBPF.
//!
//! All flows between two hosts must meet in one ring, in both directions, and must not change it.
//! The choice therefore depends on the two IP addresses in either order. Packets that may hold
//! further IP packets (tunnels, labels) all go to ring 0, because both directions of an inner flow
//! may have different outer addresses.

use super::socket::Instruction;

/// UDP ports of supported tunnels, and of ESP and WireGuard.
const TUNNELS: [u32; 15] =
    [4789, 8472, 48879, 4790, 5247, 4341, 6635, 30030, 4500, 51820, 6081, 2152, 1701, 37008, 3544];

// <linux/filter.h>: offsets of the kernel's metadata and of the network header.
const AD_PROTOCOL: u32 = -0x1000_i32 as u32;
const NET: u32 = -0x10_0000_i32 as u32;

// <linux/bpf_common.h>
const LD_W_ABS: u16 = 0x20;
const LD_H_ABS: u16 = 0x28;
const LD_W_IND: u16 = 0x40;
const LD_H_IND: u16 = 0x48;
const LD_B_IND: u16 = 0x50;
const LDX_IMM: u16 = 0x01;
const LDX_MEM: u16 = 0x61;
const ST: u16 = 0x02;
const STX: u16 = 0x03;
const ADD_X: u16 = 0x0c;
const MUL_K: u16 = 0x24;
const AND_K: u16 = 0x54;
const LSH_K: u16 = 0x64;
const RSH_K: u16 = 0x74;
const XOR_X: u16 = 0xac;
const JA: u16 = 0x05;
const JEQ_K: u16 = 0x15;
const JSET_K: u16 = 0x45;
const RET_K: u16 = 0x06;
const RET_A: u16 = 0x16;
const TAX: u16 = 0x07;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Label {
    Tagged,
    Pppoe,
    V4,
    V4Udp,
    V4Hash,
    V6,
    V6Udp,
    V6Extension,
    V6Hash,
    Ports,
    Mix,
    First,
}

/// A program with symbolic jumps, resolved by [`Assembly::finish`].
#[derive(Default)]
struct Assembly {
    code: Vec<(Instruction, Option<Label>)>,
    labels: Vec<(Label, usize)>,
}

impl Assembly {
    fn put(&mut self, code: u16, k: u32) {
        self.code.push((Instruction { code, jt: 0, jf: 0, k }, None));
    }
    /// Jumps to `to` if the accumulator is one of `values`.
    fn when(&mut self, values: &[u32], to: Label) {
        for &k in values {
            self.code.push((Instruction { code: JEQ_K, jt: 0, jf: 0, k }, Some(to)));
        }
    }
    fn goto(&mut self, to: Label) {
        self.code.push((Instruction { code: JA, jt: 0, jf: 0, k: 0 }, Some(to)));
    }
    fn label(&mut self, label: Label) {
        self.labels.push((label, self.code.len()));
    }
    /// Returns ring 0.
    fn first(&mut self) {
        self.put(RET_K, 0);
    }
    fn finish(self) -> Vec<Instruction> {
        let place = |label| self.labels.iter().find(|(l, _)| *l == label).map_or(0, |(_, at)| *at);
        let resolve = |(at, &(instruction, to)): (usize, &(Instruction, Option<Label>))| {
            let mut instruction = instruction;
            if let Some(to) = to {
                // Jumps go forward only, and the program is shorter than 256 instructions.
                let over = place(to).saturating_sub(at + 1);
                match instruction.code {
                    JA => instruction.k = over as u32,
                    _ => instruction.jt = over as u8,
                }
            }
            instruction
        };
        self.code.iter().enumerate().map(resolve).collect()
    }
}

/// The program. The kernel takes its result modulo the number of rings.
pub(super) fn program() -> Vec<Instruction> {
    use Label::*;
    let mut a = Assembly::default();
    // X is the offset of the IP header from the network header.
    a.put(LDX_IMM, 0);
    a.put(LD_W_ABS, AD_PROTOCOL);
    a.when(&[0x0800], V4);
    a.when(&[0x86dd], V6);
    a.when(&[0x8100, 0x88a8, 0x9100], Tagged);
    a.when(&[0x8864], Pppoe);
    a.first();
    // The kernel removed the outer tag; this is an inner one.
    a.label(Tagged);
    a.put(LDX_IMM, 4);
    a.put(LD_H_ABS, NET.wrapping_add(2));
    a.when(&[0x0800], V4);
    a.when(&[0x86dd], V6);
    a.first();
    // RFC 2516 4: six bytes of PPPoE, then the PPP protocol.
    a.label(Pppoe);
    a.put(LDX_IMM, 8);
    a.put(LD_H_ABS, NET.wrapping_add(6));
    a.when(&[0x0021], V4);
    a.when(&[0x0057], V6);
    a.first();

    a.label(V4);
    a.put(STX, 15);
    a.put(LD_B_IND, NET.wrapping_add(9));
    // ICMP, TCP, SCTP
    a.when(&[1, 6, 132], V4Hash);
    a.when(&[17], V4Udp);
    a.first();
    a.label(V4Udp);
    // Only the first fragment of a datagram holds its ports.
    a.put(LD_H_IND, NET.wrapping_add(6));
    a.code.push((Instruction { code: JSET_K, jt: 0, jf: 0, k: 0x3fff }, Some(First)));
    a.put(LD_B_IND, NET);
    a.put(AND_K, 0x0f);
    a.put(LSH_K, 2);
    a.put(ADD_X, 0);
    a.put(TAX, 0);
    a.goto(Ports);
    a.label(V6);
    a.put(STX, 15);
    a.put(LD_B_IND, NET.wrapping_add(6));
    a.when(&[6, 58, 132], V6Hash);
    a.when(&[17], V6Udp);
    // Hop-by-hop options, routing, fragment, destination options (RFC 8200 4)
    a.when(&[0, 43, 44, 60], V6Extension);
    a.first();
    a.label(V6Extension);
    a.put(LD_B_IND, NET.wrapping_add(40));
    a.when(&[6, 58, 132], V6Hash);
    a.first();
    a.label(V6Udp);
    a.put(LD_B_IND, NET);
    a.put(AND_K, 0);
    a.put(ADD_X, 0);
    a.put(0x04, 40);
    a.put(TAX, 0);
    a.label(Ports);
    a.put(LD_H_IND, NET);
    a.when(&TUNNELS, First);
    a.put(LD_H_IND, NET.wrapping_add(2));
    a.when(&TUNNELS, First);
    a.put(LDX_MEM, 15);
    a.put(LD_B_IND, NET);
    a.put(RSH_K, 4);
    a.when(&[4], V4Hash);

    a.label(V6Hash);
    fold(&mut a, 8, 8);
    a.goto(Mix);
    a.label(V4Hash);
    fold(&mut a, 12, 2);
    // Mixes the bits, so that neighbouring addresses get different rings.
    a.label(Mix);
    a.put(MUL_K, 0x9e37_79b1);
    a.put(RSH_K, 16);
    a.put(RET_A, 0);
    a.label(First);
    a.first();
    a.finish()
}

/// XORs `words` words of source and destination address, from `at` in the IP header.
fn fold(a: &mut Assembly, at: u32, words: u32) {
    for word in 0..words {
        a.put(LDX_MEM, 15);
        a.put(LD_W_IND, NET.wrapping_add(at + 4 * word));
        if word > 0 {
            a.put(LDX_MEM, 0);
            a.put(XOR_X, 0);
        }
        a.put(ST, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the program like the kernel: a load beyond the end of the packet gives 0.
    fn run(protocol: u16, net: &[u8]) -> u32 {
        let program = program();
        let (mut a, mut x, mut memory, mut at) = (0u32, 0u32, [0u32; 16], 0);
        for _ in 0..1000 {
            let Instruction { code, jt, jf, k } = program[at];
            at += 1;
            let load = |offset: u32, len: usize| -> Option<u32> {
                if offset == AD_PROTOCOL {
                    return Some(protocol.into());
                }
                let start = offset.wrapping_sub(NET) as usize;
                let bytes = net.get(start..start.checked_add(len)?)?;
                Some(bytes.iter().fold(0, |n, b| n << 8 | u32::from(*b)))
            };
            match code {
                LD_W_ABS | LD_H_ABS | LD_W_IND | LD_H_IND | LD_B_IND => {
                    let base = if matches!(code, LD_W_ABS | LD_H_ABS) { 0 } else { x };
                    let len = match code {
                        LD_W_ABS | LD_W_IND => 4,
                        LD_H_ABS | LD_H_IND => 2,
                        _ => 1,
                    };
                    match load(k.wrapping_add(base), len) {
                        Some(value) => a = value,
                        None => return 0,
                    }
                }
                LDX_IMM => x = k,
                LDX_MEM => x = memory[k as usize],
                ST => memory[k as usize] = a,
                STX => memory[k as usize] = x,
                0x04 => a = a.wrapping_add(k),
                ADD_X => a = a.wrapping_add(x),
                MUL_K => a = a.wrapping_mul(k),
                AND_K => a &= k,
                LSH_K => a <<= k,
                RSH_K => a >>= k,
                XOR_X => a ^= x,
                JA => at += k as usize,
                JEQ_K => at += usize::from(if a == k { jt } else { jf }),
                JSET_K => at += usize::from(if a & k != 0 { jt } else { jf }),
                RET_K => return k,
                RET_A => return a,
                TAX => x = a,
                other => panic!("unknown instruction {other:#x}"),
            }
        }
        panic!("does not end");
    }

    fn v4(source: [u8; 4], target: [u8; 4], protocol: u8, ports: (u16, u16)) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, protocol, 0, 0];
        packet.extend(source);
        packet.extend(target);
        packet.extend(ports.0.to_be_bytes());
        packet.extend(ports.1.to_be_bytes());
        packet
    }

    fn v6(source: u8, target: u8, next: u8, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x60, 0, 0, 0, 0, 8, next, 64];
        for end in [source, target] {
            packet.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, end]);
        }
        packet.extend(payload);
        packet
    }

    const A: [u8; 4] = [10, 1, 2, 3];
    const B: [u8; 4] = [10, 1, 2, 9];

    #[test]
    fn both_directions_and_all_ports_of_two_hosts_meet() {
        let there = run(0x0800, &v4(A, B, 6, (40_000, 104)));
        assert_ne!(there, 0);
        assert_eq!(there, run(0x0800, &v4(B, A, 6, (104, 40_000))));
        assert_eq!(there, run(0x0800, &v4(A, B, 17, (40_000, 514))));
        // Leading tags and PPPoE change nothing.
        let packet = v4(A, B, 6, (1, 2));
        assert_eq!(there, run(0x8100, &[&[0, 7, 8, 0], packet.as_slice()].concat()));
        let session = [0x11, 0, 0, 1, 0, 42, 0, 0x21];
        assert_eq!(there, run(0x8864, &[&session, packet.as_slice()].concat()));
        let there = run(0x86dd, &v6(1, 2, 6, &[0; 4]));
        assert_ne!(there, 0);
        assert_eq!(there, run(0x86dd, &v6(2, 1, 17, &[0, 9, 0, 8])));
        assert_eq!(there, run(0x86dd, &v6(2, 1, 44, &[6, 0, 0, 0])));
    }

    #[test]
    fn neighbours_spread_over_the_rings() {
        for rings in [2, 3, 4, 8] {
            let mut loads = vec![0; rings];
            for host in 1..=240 {
                let hash = run(0x0800, &v4([10, 1, 2, host], [10, 1, 9, 1], 6, (1, 2)));
                loads[hash as usize % rings] += 1;
            }
            let most = loads.iter().max().expect("rings");
            assert!(*most * rings < 240 * 3 / 2, "{rings}: {loads:?}");
        }
    }

    #[test]
    fn tunnels_and_what_is_cut_or_unknown_go_to_the_first_ring() {
        for ports in [(40_000, 4789), (2152, 2152), (5247, 9)] {
            assert_eq!(run(0x0800, &v4(A, B, 17, ports)), 0, "{ports:?}");
        }
        for protocol in [4, 41, 47, 50, 115] {
            assert_eq!(run(0x0800, &v4(A, B, protocol, (0, 0))), 0, "{protocol}");
        }
        let mut fragment = v4(A, B, 17, (0, 0));
        fragment[6..8].copy_from_slice(&[0x20, 0x10]);
        assert_eq!(run(0x0800, &fragment), 0);
        assert_eq!(run(0x86dd, &v6(1, 2, 17, &[0x12, 0xb5, 0, 9])), 0);
        assert_eq!(run(0x86dd, &v6(1, 2, 60, &[47, 0])), 0);
        assert_eq!(run(0x8847, &[0; 60]), 0);
        let packet = v4(A, B, 17, (9, 9));
        for len in 0..packet.len() {
            run(0x0800, &packet[..len]);
        }
    }
}
