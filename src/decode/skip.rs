//! Why a packet was skipped.

use crate::closed_set::closed_set;

closed_set! {
    /// The closed set of reasons of `phitap_packets_skipped_total`.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
    pub enum Skip {
        /// Too short for its link-layer header.
        TruncatedLink = "truncated_link",
        /// Too short for a tag, label or PPP header.
        TruncatedTag = "truncated_tag",
        /// Too short for its IP header.
        TruncatedIp = "truncated_ip",
        /// Too short for its TCP or UDP header.
        TruncatedTransport = "truncated_transport",
        /// Too short for a tunnel header.
        TruncatedTunnel = "truncated_tunnel",
        /// A malformed link-layer header.
        MalformedLink = "malformed_link",
        /// A malformed IP header.
        MalformedIp = "malformed_ip",
        /// A malformed TCP or UDP header.
        MalformedTransport = "malformed_transport",
        /// A malformed tunnel header.
        MalformedTunnel = "malformed_tunnel",
        /// A wrong checksum, with `--checksums strict`.
        BadChecksum = "bad_checksum",
        /// An unsupported link type.
        UnsupportedLink = "unsupported_link",
        /// ARP, LLDP, spanning tree...
        NotIp = "not_ip",
        /// ICMP, IGMP, SCTP...
        NotTcpOrUdp = "not_tcp_or_udp",
        /// ESP, MACsec, protected Wi-Fi: encrypted.
        Encrypted = "encrypted",
        /// More headers than the cap.
        TooManyLayers = "too_many_layers",
        /// Fragments inside fragments.
        NestedFragments = "nested_fragments",
        /// 802.11 management, control or null frames.
        WifiManagement = "wifi_management",
        /// An 802.11 retransmission of a frame that was already seen.
        WifiRetry = "wifi_retry",
        /// Excluded by `--filter`.
        Filtered = "filtered",
    }
}

impl Skip {
    /// Whether the packet ended before a header was complete.
    pub const fn is_truncated(self) -> bool {
        matches!(
            self,
            Self::TruncatedLink
                | Self::TruncatedTag
                | Self::TruncatedIp
                | Self::TruncatedTransport
                | Self::TruncatedTunnel
        )
    }

    /// Whether the packet may have been part of a conversation that could have been read.
    pub const fn is_a_loss(self) -> bool {
        !matches!(
            self,
            Self::NotIp
                | Self::NotTcpOrUdp
                | Self::Encrypted
                | Self::WifiManagement
                | Self::WifiRetry
                | Self::Filtered
        )
    }

    /// Index in [`Skip::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}
