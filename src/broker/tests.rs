use super::*;

fn open(server: &str) -> Result<Access, BrokerError> {
    Access::open(&Settings { servers: vec![server.to_owned()], ..Settings::default() })
}

#[test]
fn addresses_are_checked_and_hold_no_password() {
    for (text, name) in [
        ("nats://127.0.0.1:4223", "nats://127.0.0.1:4223"),
        ("broker.example", "nats://broker.example:4222"),
        ("tls://[::1]", "tls://[::1]:4222"),
    ] {
        assert_eq!(open(text).expect("an address").servers(), name);
    }
    for text in ["", "http://127.0.0.1", "nats://", "ws://127.0.0.1", "nats://h:99999"] {
        let error = open(text).err().expect("no address").to_string();
        assert!(error.contains("is no address"), "{text:?}: {error}");
    }
    for text in ["nats://me:hidden@127.0.0.1:4222", "nats://hidden@127.0.0.1", "x://me:hidden@h"] {
        let error = open(text).err().expect("refused").to_string();
        assert!(!error.contains("hidden"), "{error}");
    }
}

#[test]
fn pauses_grow_to_their_limit_and_differ() {
    assert_eq!(pause(1), Duration::ZERO);
    let most = |attempt| (0..50).map(|_| pause(attempt)).max().unwrap_or_default();
    assert!(most(2) <= Duration::from_millis(200), "{:?}", most(2));
    assert!(most(50) <= Duration::from_millis(MAX_PAUSE) && most(50) > Duration::from_secs(5));
    let several: std::collections::BTreeSet<_> = (0..20).map(|_| pause(9)).collect();
    assert!(several.len() > 1);
}

#[test]
fn only_loopback_may_get_a_password_in_cleartext() {
    use std::os::unix::fs::OpenOptionsExt as _;
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("credentials");
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).mode(0o600).open(&path).expect("file");
    std::io::Write::write_all(&mut file, b"sensor\nsecret\n").expect("written");
    for (server, required) in
        [("nats://127.0.0.1", false), ("nats://localhost", false), ("nats://192.0.2.1", true)]
    {
        let servers = vec![server.to_owned()];
        let settings = Settings { servers, credentials: Some(path.clone()), ..Settings::default() };
        let access = Access::open(&settings).expect("credentials");
        assert_eq!(access.tls_required, required, "{server}");
    }
}

#[test]
fn a_broker_without_room_is_said_in_plain_words() {
    let of_library = "other error: failed getting entry: publish failed: insufficient resources (code 503, error code 10023)";
    assert!(request_failed(of_library).contains("no room left"));
    assert_eq!(request_failed("maximum bytes exceeded (code 503, error code 10077)").len(), 51);
}
