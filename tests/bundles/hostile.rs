//! Archives as a stranger would make them, put together byte by byte: each is refused in a sentence, and nothing is written.

use std::panic::catch_unwind;

use ebb::bundle::Bundle;
use ebb::files::sha256;
use serde_json::{Value, json};

use super::{Desk, study};

/// What the headers of an entry say; all of it may be a lie.
#[derive(Clone)]
struct Entry {
    name: Vec<u8>,
    bytes: Vec<u8>,
    flags: u16,
    method: u16,
    checksum: Option<u32>,
    size: Option<u32>,
    extra: Vec<u8>,
    made_by: u16,
    attributes: u32,
    /// Where the directory says that it is.
    offset: Option<u32>,
    /// Its name where it stands, if that is another one.
    local_name: Option<Vec<u8>>,
}

fn entry(name: &str, bytes: impl AsRef<[u8]>) -> Entry {
    Entry {
        name: name.as_bytes().to_vec(),
        bytes: bytes.as_ref().to_vec(),
        flags: 0x800,
        method: 0,
        checksum: None,
        size: None,
        extra: Vec::new(),
        made_by: 3 << 8 | 20,
        attributes: 0o100_644 << 16,
        offset: None,
        local_name: None,
    }
}

/// The CRC-32 of zip, bit by bit.
fn checksum(bytes: &[u8]) -> u32 {
    let step = |sum: u32, byte: &u8| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ if sum & 1 == 1 { 0xEDB8_8320 } else { 0 }
        })
    };
    !bytes.iter().fold(u32::MAX, step)
}

impl Entry {
    fn common(&self, name: &[u8]) -> Vec<u8> {
        let size = self.size.unwrap_or(self.bytes.len() as u32);
        let mut out = Vec::new();
        for number in [20, self.flags, self.method, 0, 0x21] {
            out.extend(number.to_le_bytes());
        }
        out.extend(self.checksum.unwrap_or_else(|| checksum(&self.bytes)).to_le_bytes());
        out.extend(size.to_le_bytes());
        out.extend(size.to_le_bytes());
        out.extend((name.len() as u16).to_le_bytes());
        out.extend((self.extra.len() as u16).to_le_bytes());
        out
    }
}

fn zip_of(entries: &[Entry]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        let offset = entry.offset.unwrap_or(out.len() as u32);
        let local = entry.local_name.as_ref().unwrap_or(&entry.name);
        out.extend(b"PK\x03\x04");
        out.extend(entry.common(local));
        out.extend(local);
        out.extend(&entry.extra);
        out.extend(&entry.bytes);
        directory.extend(b"PK\x01\x02");
        directory.extend(entry.made_by.to_le_bytes());
        directory.extend(entry.common(&entry.name));
        directory.extend([0; 6]);
        directory.extend(entry.attributes.to_le_bytes());
        directory.extend(offset.to_le_bytes());
        directory.extend(&entry.name);
        directory.extend(&entry.extra);
    }
    let (offset, count) = (out.len() as u32, entries.len() as u16);
    out.extend(&directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend(count.to_le_bytes());
    out.extend(count.to_le_bytes());
    out.extend((directory.len() as u32).to_le_bytes());
    out.extend(offset.to_le_bytes());
    out.extend([0; 2]);
    out
}

/// The entries of an archive, by another reader of zip.
fn entries_of(archive: &[u8]) -> Vec<Entry> {
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(archive)).unwrap();
    let count = zip.len();
    let one = |place: usize| {
        let mut file = zip.by_index(place).unwrap();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut file, &mut bytes).unwrap();
        entry(&file.name().unwrap(), bytes)
    };
    (0..count).map(one).collect()
}

/// A bundle with one of its entries changed, and with a manifest that says so.
pub fn changed(bundle: &[u8], name: &str, change: impl Fn(String) -> String) -> Vec<u8> {
    let mut entries = entries_of(bundle);
    for entry in &mut entries {
        if entry.name == name.as_bytes() {
            let text = String::from_utf8(entry.bytes.clone()).unwrap();
            entry.bytes = change(text.clone()).into_bytes();
            assert_ne!(entry.bytes, text.as_bytes(), "nothing was changed");
        }
    }
    listed(&mut entries);
    zip_of(&entries)
}

/// Makes the manifest say what there is.
fn listed(entries: &mut [Entry]) {
    let list: Vec<Value> = entries
        .iter()
        .filter(|entry| entry.name != b"manifest.json")
        .map(|entry| {
            let name = String::from_utf8_lossy(&entry.name);
            json!({ "name": name, "bytes": entry.bytes.len(), "sha256": sha256(&entry.bytes) })
        })
        .collect();
    let manifest = entries.iter_mut().find(|entry| entry.name == b"manifest.json").unwrap();
    let mut value: Value = serde_json::from_slice(&manifest.bytes).unwrap();
    value["entries"] = Value::from(list);
    manifest.bytes = value.to_string().into_bytes();
}

fn made() -> Vec<u8> {
    let desk = study();
    desk.done(&["bundle", "studies/x.rhai", "-o", "x.ebb"]);
    std::fs::read(desk.path("x.ebb")).unwrap()
}

/// The sentence with which an archive is refused.
fn refused(archive: &[u8]) -> String {
    match Bundle::of(archive) {
        Ok(_) => panic!("it was taken"),
        Err(error) => error.to_string(),
    }
}

/// The bundle with an entry more, its manifest saying so, in the order of names.
fn with(bundle: &[u8], more: &[Entry]) -> Vec<u8> {
    let mut entries = entries_of(bundle);
    entries.extend_from_slice(more);
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    listed(&mut entries);
    zip_of(&entries)
}

#[test]
fn what_the_test_puts_together_is_what_the_program_writes() {
    let made = made();
    assert_eq!(zip_of(&entries_of(&made)), made);
    assert!(Bundle::of(&made).is_ok());
    assert!(Bundle::of(&with(&made, &[entry("files/more.txt", "x")])).is_ok());
}

#[test]
fn names_that_lead_elsewhere_or_mean_something_else_somewhere_are_refused() {
    let made = made();
    let long = format!("files/{}", "x".repeat(300));
    let deep = format!("files/{}x", "a/".repeat(70));
    let names = [
        ("../x", "leads out of its folder by `..`"),
        ("files/../../x", "leads out of its folder by `..`"),
        ("/etc/x", "is an absolute path"),
        ("files/a\\b", "has a backslash"),
        ("\\\\server\\x", "has a backslash"),
        ("C:/x", "begins with the letter of a drive"),
        ("c:x", "begins with the letter of a drive"),
        ("files/x:stream", "has the sign :"),
        ("files/CON", "is a device on Windows"),
        ("files/nul.txt", "is a device on Windows"),
        ("files/Com1", "is a device on Windows"),
        ("files/lpt\u{b9}.jsonl", "is a device on Windows"),
        ("files/aux/x", "is a device on Windows"),
        ("files/x.", "whose end Windows takes away"),
        ("files/x /y", "whose end Windows takes away"),
        ("files/a\nb", "has characters that cannot be seen"),
        ("files/a\u{202e}b", "has characters that cannot be seen"),
        ("files/a\0b", "has characters that cannot be seen"),
        ("files//x", "has a part without a name"),
        ("files/./x", "has a part without a name"),
        ("files/folder/", "is that of a folder"),
        ("", "is empty"),
        (&long, "has a part of more than 255 bytes"),
        (&deep, "has more than 64 folders"),
        ("files/.ebb-aside-x", "what this program has under way"),
        ("files/DATA/rows.jsonl", "differ only in their case"),
        ("files/data/rows.jsonl", "is there twice"),
        ("files/data", "is a file and a folder at once"),
        ("files/Data/rows.jsonl/x", "is a file and a folder at once"),
    ];
    for (name, told) in names {
        let said = refused(&with(&made, &[entry(name, "x")]));
        assert!(said.contains(told), "{name:?}: {said}");
        assert!(!said.contains(['\n', '\0', '\u{202e}']), "{said:?}");
    }
    let mut not_text = entry("files/x", "x");
    not_text.name = b"files/\xff".to_vec();
    assert!(refused(&with(&made, &[not_text])).contains("not UTF-8"));
}

/// What is done to an entry.
type Change<'a> = &'a dyn Fn(&mut Entry);

#[test]
fn links_devices_and_entries_that_are_not_what_they_seem_are_refused() {
    let made = made();
    let changes: [(&str, Change); 19] = [
        ("is a link", &|x| x.attributes = 0o120_777 << 16),
        ("is a link", &|x| (x.attributes, x.made_by) = (0o120_777 << 16, 20)),
        ("is no regular file", &|x| x.attributes = 0o020_644 << 16),
        ("is no regular file", &|x| x.attributes = 0o040_755 << 16),
        ("is encrypted", &|x| x.flags |= 1),
        ("is encrypted", &|x| x.flags |= 1 << 6),
        ("is encrypted", &|x| x.flags |= 1 << 13),
        ("has its size behind its bytes", &|x| x.flags |= 1 << 3),
        ("has flags that no bundle has", &|x| x.flags |= 1 << 5),
        ("is compressed", &|x| x.method = 8),
        ("is compressed", &|x| x.method = 93),
        ("another checksum (CRC-32)", &|x| x.checksum = Some(7)),
        ("zip64", &|x| x.size = Some(u32::MAX)),
        ("zip64", &|x| x.extra = [&[1, 0, 16, 0][..], &[255; 16]].concat()),
        ("has extra fields", &|x| x.extra = vec![9, 0, 0, 0]),
        ("more than there are", &|x| x.size = Some(u32::MAX - 1)),
        ("lies over another one", &|x| x.offset = Some(0)),
        ("lies over another one", &|x| x.offset = Some(u32::MAX - 5)),
        ("another one in the directory", &|x| x.local_name = Some(b"files/other.txt".to_vec())),
    ];
    for (told, change) in changes {
        let mut more = entry("files/more.txt", "x");
        change(&mut more);
        let said = refused(&with(&made, &[more]));
        assert!(said.contains(told), "{told}: {said}");
    }
    // One more entry over the bytes of another, and one whose size is cut so that there is a gap.
    let mut shorter = entry("files/more.txt", "xyz");
    (shorter.size, shorter.checksum) = (Some(1), Some(checksum(b"x")));
    let said = refused(&with(&made, &[shorter]));
    assert!(said.contains("behind a gap"), "{said}");
}

#[test]
fn an_archive_of_another_shape_is_refused() {
    let made = made();
    let end = made.len() - 22;
    let patched = |at: usize, bytes: &[u8]| {
        let mut archive = made.clone();
        archive[at..at + bytes.len()].copy_from_slice(bytes);
        refused(&archive)
    };
    assert!(patched(end + 4, &[1]).contains("in several parts"));
    assert!(patched(end + 8, &[1]).contains("in several parts"));
    assert!(patched(end + 8, &[255; 4]).contains("zip64"));
    assert!(patched(end + 16, &[255; 4]).contains("zip64"));
    assert!(patched(end + 20, &[5]).contains("has a comment"));
    // 40,000 entries said, twelve there; a directory elsewhere.
    assert!(patched(end + 8, &[64, 156, 64, 156]).contains("at most 10000"));
    assert!(patched(end + 16, &[1, 0, 0, 0]).contains("its directory is not where its end says"));
    assert!(patched(end + 12, &[1, 0, 0, 0]).contains("its directory is not where its end says"));
    assert!(refused(&[&made[..], b"behind"].concat()).contains("something stands behind it"));
    assert!(refused(&[b"before".as_slice(), &made].concat()).contains("its directory"));
    assert!(refused(b"").contains("does not end as a bundle does"));
    assert!(refused(&[b'x'; 4096]).contains("does not end as a bundle does"));
    let zip64 = [&made[..end], b"PK\x06\x07", &[0; 16], &made[end..]].concat();
    assert!(refused(&zip64).contains("zip64"), "{}", refused(&zip64));
    let mut entries = entries_of(&made);
    entries.reverse();
    assert!(refused(&zip_of(&entries)).contains("is not in the order of names"));
}

#[test]
fn what_the_manifest_does_not_say_is_refused() {
    let made = made();
    let unlisted = || {
        let mut entries = entries_of(&made);
        entries.push(entry("zz.txt", "x"));
        zip_of(&entries)
    };
    assert!(refused(&unlisted()).contains("`zz.txt`, which its manifest does not list"));
    let mut entries = entries_of(&made);
    entries.retain(|entry| entry.name != b"files/data/rows.jsonl");
    assert!(
        refused(&zip_of(&entries))
            .contains("lists `files/data/rows.jsonl`, which it does not hold")
    );
    let mut entries = entries_of(&made);
    for entry in &mut entries {
        if entry.name == b"files/data/rows.jsonl" {
            entry.bytes[6] ^= 1;
        }
    }
    assert!(refused(&zip_of(&entries)).contains("has another content than its manifest says"));
    entries.retain(|entry| entry.name != b"manifest.json");
    assert!(refused(&zip_of(&entries)).contains("holds no manifest.json"));
    let says = |from: &str, to: &str| refused(&changed_manifest(&made, from, to));
    assert!(says("\"form\": 1", "\"form\": 2").contains("made by a newer ebb"));
    assert!(says("\"form\": 1", "\"form\": \"x\"").contains("no form that is known"));
    assert!(says("\"script\": \"", "\"script\": \"../").contains("holds no"));
    let placed = |path: &str| {
        let place = format!("\"place\": [{{\"path\": {path:?}, \"bytes\": 1, \"sha256\": \"x\"}}]");
        says("\"place\": []", &place)
    };
    assert!(placed("files/../../x").contains("leads out of its folder"));
    assert!(placed("expected/x").contains("outside of files/"));
    assert!(placed("files/data/rows.jsonl").contains("is there twice"));
    assert!(says("\"form\": 1", "\"form\": 1, \"entries\": 5, \"x\"").contains("cannot be read"));
}

/// The bundle with a part of its manifest's text replaced, and nothing else.
fn changed_manifest(made: &[u8], from: &str, to: &str) -> Vec<u8> {
    let mut entries = entries_of(made);
    for entry in &mut entries {
        if entry.name == b"manifest.json" {
            let text = String::from_utf8(entry.bytes.clone()).unwrap();
            assert!(text.contains(from), "{text}");
            entry.bytes = text.replacen(from, to, 1).into_bytes();
        }
    }
    zip_of(&entries)
}

#[test]
fn a_bundle_that_is_refused_leaves_nothing_behind() {
    let made = made();
    let desk = Desk::new(&[]);
    let archives = [
        with(&made, &[entry("../evil.txt", "x")]),
        with(&made, &[Entry { attributes: 0o120_777 << 16, ..entry("files/link", "/etc") }]),
        made[..made.len() / 2].to_vec(),
        changed_manifest(&made, "\"form\": 1", "\"form\": 9"),
    ];
    for archive in archives {
        desk.write("x.ebb", archive);
        for command in ["run", "verify"] {
            let (code, out, err) = desk.ebb(&[command, "x.ebb"]);
            assert_eq!((code, out.as_str()), (2, ""), "{err}");
            assert!(err.contains("the bundle x.ebb is refused: "), "{err}");
            assert_eq!(desk.names(), ["x.ebb"]);
        }
    }
    assert!(!desk.0.path().parent().unwrap().join("evil.txt").exists());
    let (code, _, err) = desk.ebb(&["run", "absent.ebb"]);
    assert!(code == 2 && err.contains("absent.ebb"), "{err}");
}

#[test]
fn an_archive_cut_or_damaged_anywhere_is_refused_and_never_a_fault() {
    let made = made();
    // Every length near the ends of headers, and many in between.
    let step = (made.len() / 400).max(1);
    for length in (0..made.len()).filter(|at| at % step == 0 || made.len() - at < 120) {
        let cut = made[..length].to_vec();
        let outcome = catch_unwind(|| Bundle::of(&cut).is_err());
        assert!(matches!(outcome, Ok(true)), "cut to {length}");
    }
    for at in (0..made.len()).step_by((made.len() / 600).max(1)) {
        for bit in [1_u8, 128] {
            let mut damaged = made.clone();
            damaged[at] ^= bit;
            // Times and versions say nothing; all else is noticed.
            let outcome = catch_unwind(|| Bundle::of(&damaged).is_err());
            assert!(outcome.is_ok(), "byte {at}");
        }
    }
}
