use super::*;
use crate::protocol::recorder::{COMPLETE, CUT, Recorder};

const A: Handle = (0, *b"handle of file a");
const B: Handle = (0, *b"handle of file b");

fn written(files: &mut Files, handle: Handle, at: u64, bytes: &[u8], sink: &mut Recorder) {
    let serial = files.find(handle, 0, sink);
    files.turn_to(serial, sink);
    let mut piece = files.write(serial, at, bytes.len() as u64, sink);
    files.data(&mut piece, bytes, sink);
    files.settle(serial);
}

#[test]
fn what_has_settled_is_whole_once_another_file_is_asked_for() {
    let (mut files, mut sink) = (Files::new("nfs"), Recorder::default());
    files.lookup(1, "a.csv".to_owned(), &mut sink);
    files.found(1, Some(A), &mut sink);
    written(&mut files, A, 0, b"one", &mut sink);
    written(&mut files, A, 3, b"two", &mut sink);
    assert_eq!(sink.contents[0].ending, None, "it may go on");
    written(&mut files, B, 0, b"other", &mut sink);
    assert_eq!((&sink.contents[0].bytes[..], sink.contents[0].ending), (&b"onetwo"[..], COMPLETE));
    // It does go on, after all: what follows is no piece that came early.
    written(&mut files, A, 6, b"three", &mut sink);
    assert_eq!(sink.contents[2].bytes, b"three");
    files.finish(&mut sink);
    assert_eq!(sink.contents[2].ending, CUT);
}

#[test]
fn what_is_read_ends_where_the_server_says() {
    let (mut files, mut sink) = (Files::new("nfs"), Recorder::default());
    let serial = files.find(A, 0, &mut sink);
    files.read(1, serial, 0, &mut sink);
    files.read(2, serial, 3, &mut sink);
    // The last piece comes first.
    files.ends(2, 3, &mut sink);
    let mut piece = files.answer(2, 3);
    files.data(&mut piece, b"def", &mut sink);
    assert_eq!(sink.contents.len(), 0);
    let mut piece = files.answer(1, 3);
    files.data(&mut piece, b"abc", &mut sink);
    assert_eq!((&sink.contents[0].bytes[..], sink.contents[0].ending), (&b"abcdef"[..], COMPLETE));
}

#[test]
fn files_that_were_only_looked_up_make_room_first() {
    let (mut files, mut sink) = (Files::new("nfs"), Recorder::default());
    written(&mut files, A, 0, b"one", &mut sink);
    for i in 0..2 * MAX_FILES as u64 {
        files.lookup(i, format!("{i}.txt"), &mut sink);
        files.found(i, Some((1, u128::from(i).to_be_bytes())), &mut sink);
    }
    assert_eq!(sink.contents[0].ending, None);
    assert!(files.memory() < 1 << 20);
}

#[test]
fn paths_name_nobody() {
    let share = Share::new(r"\\h\scans");
    assert_eq!(share.path(r"Doe\Jane\doe.pdf"), "/scans/*/*/*.pdf");
    assert_eq!(share.path("doe"), "/scans/*");
    assert_eq!(share.path("index.html"), "/scans/*.html");
    assert_eq!(share.path("a.b/doe"), "/scans/*");
    assert_eq!(share.path("x.hansen"), "/scans/*");
}
