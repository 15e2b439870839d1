//! Data that is sent once, and that a few later bytes cause to be read, unpacked or set up
//! repeatedly.

use crate::lies::Turns;

const CLIENT: bool = false;
const SERVER: bool = true;

/// Media type and body.
pub fn files() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let job = b"--a\r\nContent-Type: application/postscript\r\n\r\n%!PS\n{} loop\r\n";
    vec![
        ("PostScript, many jobs without end", "multipart/mixed; boundary=a", job.repeat(500)),
        ("PostScript, a long loop for a few letters", "application/postscript", loops()),
        ("7z, files listed again and again", "application/x-7z-compressed", seven_zip()),
    ]
}

/// Each line of 28 bytes takes a thousand steps.
fn loops() -> Vec<u8> {
    let line = b"0 1 255 {E exch /a put} for\n";
    [&b"%!PS\n/E 256 array def\n"[..], &line.repeat(12_000)].concat()
}

/// A 7z archive whose header lists 3,000 folders, and their files 20,000 times.
fn seven_zip() -> Vec<u8> {
    let header = [
        &b"\x01\x04\x07\x0b\x8b\xb8\0"[..],
        &b"\x01\x01\0".repeat(3000),
        b"\x0c",
        &b"\x01".repeat(3000),
        b"\0",
        &b"\x08\0".repeat(20_000),
        b"\0\0",
    ]
    .concat();
    let mut archive = b"7z\xbc\xaf\x27\x1c\0\x04\0\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    archive.extend((header.len() as u64).to_le_bytes());
    archive.extend(b"\0\0\0\0");
    [archive, header].concat()
}

/// Name, port, conversation.
pub fn conversations() -> Vec<(&'static str, u16, Turns)> {
    vec![
        ("PostgreSQL, one statement bound again and again", 5432, postgresql_binds()),
        ("PostgreSQL, one statement described again and again", 5432, postgresql_describes()),
        ("PostgreSQL, wide results in turn", 5432, postgresql_turns()),
        ("PostgreSQL, a portal of many forms executed again and again", 5432, postgresql_forms()),
        ("MySQL, a wide statement prepared again and again", 3306, mysql(15, &[])),
        ("MySQL, rows of a wide statement fetched one by one", 3306, mysql(1, &mysql_fetch())),
        ("MySQL, a wide result whose columns are not repeated", 3306, mysql(1, &mysql_cached())),
        ("MySQL, a long statement executed again and again", 3306, mysql_executes()),
        (
            "Cassandra, a long statement executed again and again",
            9042,
            cassandra(&cassandra_execute()),
        ),
        ("Cassandra, a batch of one long statement", 9042, cassandra(&cassandra_batch())),
        ("HTTP/2, one long path for each request", 80, http2(&path(), b"\x82\x86\xbf\xbe")),
        ("HTTP/2, one long cookie for each request", 80, http2(&cookie(), b"\x82\x86\x84\xbf\xbe")),
        ("rsync, zstd unpacked for each block that is there", 873, rsync_zstd()),
        ("rsync, blocks of LZ4 of no length", 873, rsync_lz4()),
        ("memcached, values of a byte", 11_211, memcached()),
        ("TDS, a row in packets of a byte", 1433, tds_row()),
        ("TDS, a prepared statement of many names executed again and again", 1433, tds_names()),
    ]
}

/// A message of PostgreSQL.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &(body.len() as u32 + 4).to_be_bytes(), body].concat()
}

/// A PostgreSQL connection after its start.
fn postgresql(client: Vec<u8>, server: Vec<u8>) -> Turns {
    let startup = b"\0\0\0\x12\0\x03\0\0user\0bob\0\0".to_vec();
    let ready = [message(b'R', &[0; 4]), message(b'Z', b"I")].concat();
    vec![(CLIENT, startup), (SERVER, ready), (CLIENT, client), (SERVER, server)]
}

fn postgresql_binds() -> Turns {
    let values = b"(mrn,name),".repeat(1400);
    let parse = [&b"s\0INSERT INTO patient (mrn,name) VALUES "[..], &values[..], b"($1,$2)\0\0\0"];
    let bind = [message(b'B', b"\0s\0\0\0\0\0\0\0"), message(b'S', b"")].concat();
    let client = [message(b'P', &parse.concat()), bind.repeat(8000)].concat();
    postgresql(client, message(b'1', b""))
}

fn postgresql_describes() -> Turns {
    let parse = [&b"s\0SELECT a FROM p WHERE a IN ("[..], &b"1,".repeat(8000), b"1)\0\0\0"];
    let client = [message(b'P', &parse.concat()), message(b'D', b"Ss\0").repeat(4000)].concat();
    postgresql(client, [message(b'1', b""), message(b'T', b"\0\0").repeat(4000)].concat())
}

/// Two statements with many columns; each row of a result belongs to the other one.
fn postgresql_turns() -> Turns {
    let column = b"patient_name\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0";
    let described = message(b'T', &[&1600_u16.to_be_bytes()[..], &column.repeat(1600)].concat());
    let (mut client, mut server, mut executes) = (Vec::new(), Vec::new(), Vec::new());
    for name in ["a", "b"] {
        client.extend(message(b'P', format!("{name}\0SELECT * FROM {name}\0\0\0").as_bytes()));
        client.extend(message(b'D', format!("S{name}\0").as_bytes()));
        client.extend(message(b'B', format!("{name}\0{name}\0\0\0\0\0\0\0").as_bytes()));
        server.extend([message(b'1', b""), message(b't', b"\0\0")].concat());
        server.extend([&described[..], &message(b'2', b"")].concat());
        executes.extend(message(b'E', format!("{name}\0\0\0\0\0").as_bytes()));
    }
    client.extend(executes.repeat(1500));
    let row = [message(b'D', b"\0\x01\0\0\0\x01x"), message(b'C', b"SELECT 1\0")].concat();
    server.extend(row.repeat(3000));
    postgresql(client, server)
}

fn postgresql_forms() -> Turns {
    let forms = [&60_000_u16.to_be_bytes()[..], &b"\0\x01".repeat(60_000)].concat();
    let bind = message(b'B', &[&b"p\0s\0\0\0\0\0"[..], &forms].concat());
    let parse = message(b'P', b"s\0SELECT 1\0\0\0");
    let execute = message(b'E', b"p\0\0\0\0\0");
    postgresql([parse, bind, execute.repeat(4000)].concat(), Vec::new())
}

/// A packet of MySQL.
fn mysql_packet(sequence: usize, body: &[u8]) -> Vec<u8> {
    let [a, b, c, _] = (body.len() as u32).to_le_bytes();
    [&[a, b, c, sequence as u8][..], body].concat()
}

const MYSQL_EOF: &[u8] = b"\xfe\0\0\x02\0";

/// A connection to MySQL on which a statement with 512 columns is prepared so many times, and then 2,000 times this
/// command with this answer.
fn mysql(prepared: usize, repeated: &[Vec<u8>]) -> Turns {
    const COLUMNS: usize = 512;
    let mut greeting = b"\x0a5.7.1\0\x01\0\0\0abcdefgh\0\xff\xf7\x21\x02\0\xff\x81\x15".to_vec();
    greeting.extend([0; 10]);
    greeting.extend(b"abcdefghijkl\0mysql_native_password\0");
    let mut login = 0x1a_a285_u32.to_le_bytes().to_vec();
    login.extend((1u32 << 24).to_le_bytes());
    login.extend([33].iter().chain(&[0; 23]));
    login.extend(b"root\0\0");
    let mut turns = vec![
        (SERVER, mysql_packet(0, &greeting)),
        (CLIENT, mysql_packet(1, &login)),
        (SERVER, mysql_packet(2, b"\0\0\0\x02\0\0\0")),
    ];
    for n in 0..prepared {
        turns.push((CLIENT, mysql_packet(0, b"\x16SELECT * FROM p")));
        let mut answer = vec![0];
        answer.extend((n as u32 + 1).to_le_bytes());
        answer.extend([0, 2, 0, 0, 0, 0, 0]);
        let mut server = mysql_packet(1, &answer);
        for column in 0..COLUMNS {
            let name = format!("a{column:03}");
            let texts = ["def", "d", "p", "p", &name, &name];
            let mut body: Vec<u8> =
                texts.iter().flat_map(|t| [&[t.len() as u8][..], t.as_bytes()].concat()).collect();
            body.extend(b"\x0c\x21\0\xff\0\0\0\xfd\0\0\0\0\0");
            server.extend(mysql_packet(column + 2, &body));
        }
        server.extend(mysql_packet(COLUMNS + 2, MYSQL_EOF));
        turns.push((SERVER, server));
    }
    if let [command, answer] = repeated {
        for _ in 0..2000 {
            turns.push((CLIENT, command.clone()));
            turns.push((SERVER, answer.clone()));
        }
    }
    turns
}

fn mysql_fetch() -> [Vec<u8>; 2] {
    let row = [&b"\0"[..], &[0xff; 64], b"\x03"].concat();
    let answer = [mysql_packet(1, &row), mysql_packet(2, MYSQL_EOF)].concat();
    [mysql_packet(0, b"\x1c\x01\0\0\0\x01\0\0\0"), answer]
}

/// Executed, with the count of columns and that they are those of before.
fn mysql_cached() -> [Vec<u8>; 2] {
    let answer = [mysql_packet(1, b"\xfc\0\x02\0"), mysql_packet(2, MYSQL_EOF)].concat();
    [mysql_packet(0, b"\x17\x01\0\0\0\0\x01\0\0\0"), answer]
}

/// A statement of 15 kB with one parameter, and executions of it.
fn mysql_executes() -> Turns {
    let mut turns = mysql(0, &[]);
    turns.push((CLIENT, mysql_packet(0, &[&b"\x16"[..], &long_statement()].concat())));
    let parameter = b"\x03def\0\0\0\x01?\0\x0c\x3f\0\0\0\0\0\xfd\x80\0\0\0\0";
    let answer = [
        mysql_packet(1, b"\0\x01\0\0\0\0\0\x01\0\0\0\0"),
        mysql_packet(2, parameter),
        mysql_packet(3, MYSQL_EOF),
    ];
    turns.push((SERVER, answer.concat()));
    let execute = mysql_packet(0, b"\x17\x01\0\0\0\0\x01\0\0\0\0\x01\xfd\0\x017");
    turns.push((CLIENT, execute.repeat(4000)));
    turns
}

/// An INSERT of 1,400 rows.
fn long_statement() -> Vec<u8> {
    let rows = b"(mrn,name),".repeat(1400);
    [&b"INSERT INTO patient (mrn,name) VALUES "[..], &rows, b"(?,1)"].concat()
}

/// A frame of Cassandra (version 4).
fn cassandra_frame(version: u8, opcode: u8, body: &[u8]) -> Vec<u8> {
    [&[version, 0, 0, 1, opcode][..], &(body.len() as u32).to_be_bytes(), body].concat()
}

/// A connection to Cassandra on which a long statement is prepared, and then these frames come.
fn cassandra(frames: &[u8]) -> Turns {
    let statement = long_statement();
    let prepare = [&(statement.len() as u32).to_be_bytes()[..], &statement].concat();
    let mut prepared = b"\0\0\0\x04\0\x0812345678".to_vec();
    prepared.extend([0; 12]);
    prepared.extend(b"\0\0\0\x04\0\0\0\0");
    vec![
        (CLIENT, cassandra_frame(4, 1, b"\0\x01\0\x0bCQL_VERSION\0\x053.0.0")),
        (SERVER, cassandra_frame(0x84, 2, b"")),
        (CLIENT, cassandra_frame(4, 9, &prepare)),
        (SERVER, cassandra_frame(0x84, 8, &prepared)),
        (CLIENT, frames.to_vec()),
    ]
}

fn cassandra_execute() -> Vec<u8> {
    cassandra_frame(4, 10, b"\0\x0812345678\0\x01\x01\0\x01\0\0\0\x017").repeat(4000)
}

fn cassandra_batch() -> Vec<u8> {
    let one = b"\x01\0\x0812345678\0\0".repeat(30_000);
    cassandra_frame(4, 13, &[&b"\0\x75\x30"[..], &one].concat())
}

/// A frame of HTTP/2 with the fields of a whole request.
fn headers(stream: u32, block: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = (block.len() as u32).to_be_bytes();
    [&[a, b, c, 1, 5][..], &stream.to_be_bytes(), block].concat()
}

/// 20,000 requests that name the last two fields of the table, which the first one puts there.
fn http2(first: &[u8], further: &[u8]) -> Turns {
    let mut client = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    client.extend(headers(1, first));
    for n in 0..20_000 {
        client.extend(headers(3 + 2 * n, further));
    }
    vec![(CLIENT, client)]
}

/// A text of 3,640 bytes, as HPACK writes it, and the name of a host behind it.
fn with_host(kind: &[u8], text: &[u8]) -> Vec<u8> {
    // RFC 7541 5.1: 127, and the rest in sevens.
    let rest = text.len() - 127;
    let length = [0x7f, (rest & 0x7f) as u8 | 0x80, (rest >> 7) as u8];
    [&b"\x82\x86"[..], kind, &length, text, b"\x41\x01a"].concat()
}

fn path() -> Vec<u8> {
    with_host(b"\x44", &b"/Patient/Jones".repeat(260))
}

fn cookie() -> Vec<u8> {
    with_host(b"\x60", &b"a=b; ".repeat(728))
}

/// An rsync server that sends these tokens of one file, in frames.
fn rsync(options: &[&str], tokens: &[u8]) -> Turns {
    let arguments: String = options.iter().map(|option| format!("{option}\0")).collect();
    let client = format!("@RSYNCD: 31.0 md5 md4\nward\n{arguments}.\0ward/\0\0");
    let list = b"\xac\x01\x01.\0\0\x10kname.csv\0x\0\xf0s\x99L\x1e\xa4\x81\0\0\xff\x01";
    let new = b"\x01\0\xa0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let mut server =
        b"@RSYNCD: 31.0 md5 md4\nWelcome\n@RSYNCD: OK\n\x81\xff\x03md5s\xdf\x10\x6b".to_vec();
    for piece in [&list[..], new, tokens].concat().chunks(4000) {
        server.extend((piece.len() as u32 | 7 << 24).to_le_bytes());
        server.extend(piece);
    }
    vec![(CLIENT, client.into_bytes()), (SERVER, server)]
}

/// Empty zstd blocks, then blocks that the receiver has.
fn rsync_zstd() -> Turns {
    let mut zstd = b"\x28\xb5\x2f\xfd\0\x38".to_vec();
    zstd.extend(b"\0\0\0".repeat(30_000));
    let mut tokens = Vec::new();
    for piece in zstd.chunks(8000) {
        tokens.extend([0x40 | (piece.len() >> 8) as u8, piece.len() as u8]);
        tokens.extend(piece);
    }
    tokens.extend(b"\x80".repeat(3000));
    // With a little more of it before each.
    tokens.extend(b"\x40\x03\0\0\0\x80".repeat(3000));
    rsync(&["--server", "--sender", "-logDtprze.iLsfxCIvu"], &tokens)
}

fn rsync_lz4() -> Turns {
    let options = ["--server", "--sender", "-logDtprze.iLs", "--compress-choice=lz4"];
    rsync(&options, &b"\x40\x02\x10x".repeat(20_000))
}

fn memcached() -> Turns {
    let values = b"VALUE k 0 2\r\n{}\r\n".repeat(10_000);
    vec![(CLIENT, b"get k\r\n".to_vec()), (SERVER, values)]
}

/// A packet of TDS.
fn packet(kind: u8, last: bool, body: &[u8]) -> Vec<u8> {
    let [high, low] = (body.len() as u16 + 8).to_be_bytes();
    [&[kind, u8::from(last), high, low, 0, 0, 1, 0][..], body].concat()
}

/// A connection to SQL Server that has begun.
fn tds(client: Vec<u8>, server: Vec<u8>) -> Turns {
    let asked = packet(0x12, true, b"\0\0\x06\0\x06\xff\x10\0\x10\0\0\0");
    let answered = packet(0x04, true, b"\0\0\x06\0\x06\xff\x10\0\x10\0\0\0");
    vec![(CLIENT, asked), (SERVER, answered), (CLIENT, client), (SERVER, server)]
}

/// A column of unlimited text, and a value in chunks of a letter.
fn tds_row() -> Turns {
    let name = b"\x03m\0r\0n\0";
    let column = [&b"\x81\x01\0\0\0\0\0\0\0\xe7\xff\xff\0\0\0\0\0"[..], name].concat();
    let row = [&b"\xd1\xfe\xff\xff\xff\xff\xff\xff\xff"[..], &b"\x01\0\0\0A".repeat(9000)];
    let bytes = [column, row.concat()].concat();
    tds(Vec::new(), bytes.iter().flat_map(|byte| packet(4, false, &[*byte])).collect())
}

fn tds_names() -> Turns {
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let text = |text: &str| {
        let text = wide(text);
        let head = [&b"\0\0\xe7\x40\x1f\0\0\0\0\0"[..], &(text.len() as u16).to_le_bytes()];
        [head.concat(), text].concat()
    };
    let number = b"\0\0\x26\x04\x04\x01\0\0\0";
    let names: Vec<String> = (0..330).map(|n| format!("@p{n} int")).collect();
    let prepare = [&b"\xff\xff\x0b\0\0\0"[..], b"\0\x01\x26\x04\0", &text(&names.join(","))];
    let prepare = packet(3, true, &[&prepare.concat()[..], &text("x"), number].concat());
    let execute = [&b"\xff\xff\x0c\0\0\0"[..], number, b"\xff"].concat();
    let handle = packet(4, true, b"\xac\0\0\0\x01\0\0\0\0\0\0\x26\x04\x04\x01\0\0\0");
    let mut turns = tds(prepare, handle);
    turns.push((CLIENT, packet(3, true, &execute.repeat(1000)).repeat(12)));
    turns
}
