//! Link types of captures (LINKTYPE_ registry of tcpdump.org).

/// A link type as declared by the capture.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LinkType(pub u16);

macro_rules! links {
    ($($name:ident = $value:literal, $text:literal;)*) => {
        impl LinkType {
            $(#[doc = concat!("LINKTYPE_", stringify!($name), ".")] pub const $name: Self = Self($value);)*

            /// The name of a supported link type.
            pub const fn name(self) -> Option<&'static str> {
                match self { $(Self::$name => Some($text),)* _ => None }
            }
        }
    };
}

links! {
    NULL = 0, "BSD loopback";
    ETHERNET = 1, "Ethernet";
    IEEE802_5 = 6, "Token Ring";
    PPP = 9, "PPP";
    FDDI = 10, "FDDI";
    RAW_BSD = 12, "raw IP";
    RAW_OPENBSD = 14, "raw IP";
    PPP_HDLC = 50, "PPP in HDLC";
    PPP_ETHER = 51, "PPPoE";
    ATM_RFC1483 = 100, "LLC over ATM";
    RAW = 101, "raw IP";
    C_HDLC = 104, "Cisco HDLC";
    IEEE802_11 = 105, "IEEE 802.11";
    FRELAY = 107, "Frame Relay";
    LOOP = 108, "OpenBSD loopback";
    ENC = 109, "OpenBSD IPsec interface";
    LINUX_SLL = 113, "Linux cooked v1";
    PFLOG = 117, "OpenBSD packet filter log";
    PRISM = 119, "802.11 with Prism header";
    IEEE802_11_RADIOTAP = 127, "802.11 with radiotap";
    APPLE_IP_OVER_IEEE1394 = 138, "IP over IEEE 1394";
    PKTAP_BSD = 149, "PKTAP";
    IEEE802_11_AVS = 163, "802.11 with AVS header";
    JUNIPER_ETHER = 178, "Juniper Ethernet";
    PPI = 192, "per-packet information";
    ERF = 197, "ERF";
    PPP_WITH_DIR = 204, "PPP with direction";
    C_HDLC_WITH_DIR = 205, "Cisco HDLC with direction";
    FRELAY_WITH_DIR = 206, "Frame Relay with direction";
    MPLS = 219, "MPLS";
    IPV4 = 228, "raw IPv4";
    IPV6 = 229, "raw IPv6";
    NFLOG = 239, "Linux NFLOG";
    IPOIB = 242, "IP over InfiniBand";
    PKTAP = 258, "PKTAP";
    LINUX_SLL2 = 276, "Linux cooked v2";
}
