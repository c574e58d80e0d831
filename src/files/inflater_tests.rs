//! The cases of `contracts/field-imports.md` about compression, by the numbers of its rows.

use crate::files::Inflater;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use zstd::zstd_safe::CParameter;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("written");
    encoder.finish().expect("whole")
}

fn inflated(bytes: &[u8], cut: usize) -> Result<Vec<u8>, &'static str> {
    let mut inflater = Inflater::told(bytes).map_err(|refused| refused.code)?;
    let mut out = Vec::new();
    for mut piece in bytes.chunks(cut) {
        while !piece.is_empty() {
            let taken = inflater
                .feed(piece, &mut out, 100)
                .map_err(|refused| refused.code)?;
            piece = &piece[taken..];
        }
    }
    while inflater.drain(&mut out).map_err(|refused| refused.code)? {}
    inflater.end().map_err(|refused| refused.code)?;
    Ok(out)
}

#[test]
fn row_38_all_members_are_read_and_zeros_behind_them_are_nothing() {
    let text = "{\"a\":1}\n".repeat(20_000);
    let (first, second) = text.as_bytes().split_at(1_003);
    let named = {
        let builder = flate2::GzBuilder::new()
            .filename("users.csv")
            .comment("x")
            .extra(vec![1; 300]);
        let mut encoder = builder.write(Vec::new(), Compression::fast());
        encoder.write_all(second).expect("written");
        encoder.finish().expect("whole")
    };
    let mut file = [gzip(first), named].concat();
    for cut in [1, 7, 100_000] {
        assert_eq!(inflated(&file, cut).as_deref(), Ok(text.as_bytes()));
    }
    file.extend([0; 600]);
    assert_eq!(inflated(&file, 50).as_deref(), Ok(text.as_bytes()));
}

#[test]
fn row_38_what_is_cut_or_followed_by_something_is_no_whole_file() {
    let whole = gzip("some text".repeat(50).as_bytes());
    for length in [whole.len() - 1, whole.len() - 9, 12, 5] {
        assert_eq!(inflated(&whole[..length], 3), Err("truncated"), "{length}");
    }
    let half = [&whole[..], &whole[..whole.len() / 2]].concat();
    assert_eq!(inflated(&half, 10), Err("truncated"));
    for behind in [&b"garbage"[..], b"\0\0x"] {
        assert_eq!(
            inflated(&[&whole[..], behind].concat(), 10),
            Err("compression")
        );
    }
    let mut broken = whole.clone();
    let last = broken.len() - 6;
    broken[last] ^= 1;
    assert_eq!(inflated(&broken, 10), Err("compression"), "the check sum");
}

#[test]
fn row_41_all_frames_are_read_and_a_window_over_the_limit_is_refused_by_name() {
    let text = "{\"a\":1}\n".repeat(50_000);
    let packed = zstd::encode_all(text.as_bytes(), 3).expect("packed");
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
    let file = [&skippable[..], &packed, &skippable, &packed].concat();
    for cut in [1, 100, 1_000_000] {
        assert_eq!(
            inflated(&file, cut).map(|out| out.len()),
            Ok(2 * text.len()),
            "{cut}"
        );
    }
    assert_eq!(inflated(&packed[..packed.len() - 1], 10), Err("truncated"));
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("an encoder");
    encoder
        .set_parameter(CParameter::WindowLog(27))
        .expect("a window");
    encoder.write_all(text.as_bytes()).expect("written");
    let large = encoder.finish().expect("whole");
    assert_eq!(inflated(&large, 1_000), Err("compression"));
}

#[test]
fn row_41_a_frame_that_needs_a_dictionary_is_refused_by_name() {
    // A frame (RFC 8878) with the id of a dictionary, 5, its length, and one block as it is.
    let file = *b"\x28\xb5\x2f\xfd\x21\x05\x03\x19\0\0abc";
    let mut inflater = Inflater::told(&file).expect("it is zstd");
    let refused = inflater.feed(&file, &mut Vec::new(), 1_000_000);
    let refused = refused.expect_err("it can't be read");
    assert!(refused.message.contains("dictionary"), "{refused}");
}

#[test]
fn a_bomb_comes_out_in_pieces() {
    let bomb = gzip(&vec![0; 5_000_000]);
    let mut inflater = Inflater::told(&bomb).expect("gzip");
    let mut out = Vec::new();
    let taken = inflater.feed(&bomb, &mut out, 1_000).expect("fed");
    assert!(taken < bomb.len() && out.len() <= 64 << 10, "{}", out.len());
}

#[test]
fn a_file_that_is_not_compressed_comes_as_it_is() {
    assert_eq!(
        inflated(b"a,b\n1,2\n", 3).as_deref(),
        Ok(&b"a,b\n1,2\n"[..])
    );
    assert_eq!(inflated(b"", 3).as_deref(), Ok(&b""[..]));
}
