//! Address blocks, and the user's own networks (`--home-net`).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An address block, `10.0.0.0/8` or `fd00::/8`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Cidr {
    /// IPv4 blocks are stored as IPv4-mapped IPv6 (RFC 4291 2.5.5.2), so that one comparison
    /// suffices.
    network: u128,
    mask: u128,
    v4: bool,
}

/// Why an address block was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CidrError {
    /// The part before the slash is invalid.
    #[error("not an address block; write it like 10.0.0.0/8 or fd00::/8")]
    Address,
    /// The part after the slash is invalid.
    #[error("the prefix length must be 0 to {0}")]
    Prefix(u8),
    /// Bits after the prefix are set, which is usually a mistake.
    #[error("address bits are set behind the prefix; did you mean {0}?")]
    HostBits(Cidr),
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

impl Cidr {
    /// The block of `address` with `prefix` leading bits.
    ///
    /// # Errors
    /// The prefix is longer than the address, or bits after it are set.
    pub fn new(address: IpAddr, prefix: u8) -> Result<Self, CidrError> {
        let v4 = address.is_ipv4();
        let longest = if v4 { 32 } else { 128 };
        if prefix > longest {
            return Err(CidrError::Prefix(longest));
        }
        let free = u32::from(longest - prefix);
        let mask = u128::MAX.checked_shl(free).unwrap_or(0);
        let block = Self { network: bits(address) & mask, mask, v4 };
        if block.network == bits(address) { Ok(block) } else { Err(CidrError::HostBits(block)) }
    }

    /// Whether `address` is in the block. An IPv4-mapped IPv6 address counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        bits(address) & self.mask == self.network
    }
}

impl FromStr for Cidr {
    type Err = CidrError;
    fn from_str(text: &str) -> Result<Self, CidrError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().map_err(|_| CidrError::Address)?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(p) => p.trim().parse().map_err(|_| CidrError::Prefix(longest))?,
            None => longest,
        };
        Self::new(address, prefix)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ones = self.mask.count_ones();
        if self.v4 {
            let address = Ipv4Addr::from_bits((self.network & u128::from(u32::MAX)) as u32);
            write!(f, "{address}/{}", ones.saturating_sub(96))
        } else {
            write!(f, "{}/{ones}", Ipv6Addr::from_bits(self.network))
        }
    }
}

/// The user's own networks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeNets(Vec<Cidr>);

impl HomeNets {
    /// Exactly these networks.
    pub fn new(nets: Vec<Cidr>) -> Self {
        Self(nets)
    }
    /// Whether `address` is in one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|net| net.contains(address))
    }
}

/// Private (RFC 1918, RFC 4193), link-local (RFC 3927, RFC 4291), loopback and shared address space
/// (RFC 6598).
impl Default for HomeNets {
    fn default() -> Self {
        const V4: [([u8; 4], u8); 6] = [
            ([10, 0, 0, 0], 8),
            ([172, 16, 0, 0], 12),
            ([192, 168, 0, 0], 16),
            ([169, 254, 0, 0], 16),
            ([127, 0, 0, 0], 8),
            ([100, 64, 0, 0], 10),
        ];
        const V6: [(Ipv6Addr, u8); 3] = [
            (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7),
            (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10),
            (Ipv6Addr::LOCALHOST, 128),
        ];
        let v4 = V4.iter().filter_map(|&(a, p)| Cidr::new(a.into(), p).ok());
        let v6 = V6.iter().filter_map(|&(a, p)| Cidr::new(a.into(), p).ok());
        Self(v4.chain(v6).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> IpAddr {
        text.parse().expect("address")
    }

    #[test]
    fn default_networks_have_the_edges_of_their_rfcs() {
        let home = HomeNets::default();
        for inside in [
            "10.0.0.0",
            "10.255.255.255",
            "172.16.0.0",
            "172.31.255.255",
            "192.168.3.4",
            "169.254.1.1",
            "127.0.0.1",
            "100.64.0.0",
            "100.127.255.255",
            "fc00::",
            "fdff::1",
            "fe80::1",
            "febf::1",
            "::1",
            "::ffff:10.1.2.3",
        ] {
            assert!(home.contains(at(inside)), "{inside}");
        }
        for outside in [
            "9.255.255.255",
            "11.0.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.169.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "203.0.113.9",
            "fbff::1",
            "fe00::1",
            "fec0::1",
            "::2",
            "2001:db8::1",
            "::ffff:203.0.113.9",
        ] {
            assert!(!home.contains(at(outside)), "{outside}");
        }
    }

    #[test]
    fn reads_and_writes_blocks() {
        for text in ["10.0.0.0/8", "0.0.0.0/0", "192.0.2.7/32", "::/0", "2001:db8::/32"] {
            assert_eq!(text.parse::<Cidr>().map(|c| c.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("192.0.2.7".parse::<Cidr>().map(|c| c.to_string()), Ok("192.0.2.7/32".into()));
        assert!("0.0.0.0/0".parse::<Cidr>().is_ok_and(|c| !c.contains(at("2001:db8::1"))));
    }

    #[test]
    fn refuses_blocks_that_say_two_things() {
        assert_eq!("10.0.0.0/33".parse::<Cidr>(), Err(CidrError::Prefix(32)));
        assert_eq!("10.0.0.0/x".parse::<Cidr>(), Err(CidrError::Prefix(32)));
        assert_eq!("fd00::/129".parse::<Cidr>(), Err(CidrError::Prefix(128)));
        assert_eq!("ten/8".parse::<Cidr>(), Err(CidrError::Address));
        let slip = "10.1.2.3/8".parse::<Cidr>().expect_err("host bits");
        assert!(slip.to_string().ends_with("10.0.0.0/8?"), "{slip}");
    }
}
