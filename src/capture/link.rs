//! Link types of captures (the LINKTYPE_ registry of tcpdump.org).

/// A link type as the capture declares it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LinkType(pub u16);

macro_rules! links {
    ($($name:ident = $value:literal, $text:literal;)*) => {
        impl LinkType {
            $(#[doc = concat!("LINKTYPE_", stringify!($name), ".")] pub const $name: Self = Self($value);)*

            /// The name of a link type that is read.
            pub const fn name(self) -> Option<&'static str> {
                match self { $(Self::$name => Some($text),)* _ => None }
            }
        }
    };
}

links! {
    NULL = 0, "BSD loopback";
    ETHERNET = 1, "Ethernet";
    PPP = 9, "PPP";
    RAW_BSD = 12, "raw IP";
    RAW_OPENBSD = 14, "raw IP";
    PPP_HDLC = 50, "PPP in HDLC";
    PPP_ETHER = 51, "PPPoE";
    RAW = 101, "raw IP";
    C_HDLC = 104, "Cisco HDLC";
    IEEE802_11 = 105, "IEEE 802.11";
    LOOP = 108, "OpenBSD loopback";
    LINUX_SLL = 113, "Linux cooked v1";
    PRISM = 119, "802.11 with Prism header";
    IEEE802_11_RADIOTAP = 127, "802.11 with radiotap";
    IEEE802_11_AVS = 163, "802.11 with AVS header";
    PPI = 192, "per-packet information";
    IPV4 = 228, "raw IPv4";
    IPV6 = 229, "raw IPv6";
    LINUX_SLL2 = 276, "Linux cooked v2";
}
