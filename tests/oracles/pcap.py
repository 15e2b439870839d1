"""Writes conversations over TCP into a capture file."""
import socket, struct


class Pcap:
    """A capture of bare IP packets, microseconds apart; `random` chooses how they are cut."""

    def __init__(self, path, random):
        self.out, self.time, self.random = open(path, "wb"), 1772360102 * 10**6, random
        self.out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))

    def packet(self, source, destination, sport, dport, seq, ack, flags, data=b""):
        tcp = struct.pack(">HHIIBBHHH", sport, dport, seq, ack, 5 << 4, flags, 65535, 0, 0) + data
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0, socket.inet_aton(source), socket.inet_aton(destination))
        self.time += 50
        self.out.write(struct.pack("<IIII", self.time // 10**6, self.time % 10**6, 20 + len(tcp), 20 + len(tcp)) + ip + tcp)

    def conversation(self, port, server_port, turns):
        """One connection from `port` to `server_port`; `turns` are (from the client, bytes), in pieces of any size."""
        ends, ports, seq = ["10.1.7.31", "10.1.2.9"], [port, server_port], [2, 2]
        self.packet(*ends, *ports, 1, 0, 0x02)
        self.packet(*ends[::-1], *ports[::-1], 1, 2, 0x12)
        for client, data in turns:
            turn = slice(None) if client else slice(None, None, -1)
            while data:
                size = self.random.choice([7, 100, 1400])
                piece, data = data[:size], data[size:]
                own, other = (0, 1) if client else (1, 0)
                self.packet(*ends[turn], *ports[turn], seq[own], seq[other], 0x18, piece)
                seq[own] += len(piece)
        self.packet(*ends, *ports, seq[0], seq[1], 0x11)
        self.packet(*ends[::-1], *ports[::-1], seq[1], seq[0] + 1, 0x11)
