//! Every encoding round, and bombs that must stop at the limit.

use super::*;
use crate::api::buffer::Buffer;
use crate::api::lane::Lane;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use std::io::Write;

const TEXT: &[u8] = br#"{"batch":[{"type":"track","event":"A","userId":"u"}]}"#;

fn decoded(encoding: Encoding, bytes: &[u8], limit: usize) -> Result<Vec<u8>, ApiError> {
    let lane = Lane::new(64 << 20, 1);
    let mut buffer = Buffer::new(&lane, limit, 0);
    inflate(encoding, bytes, &mut |piece| buffer.append(piece))?;
    Ok(buffer.into_body().bytes.to_vec())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn raw_deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// `{}` in brotli: an uncompressed metablock, then an empty last one.
const BROTLI_BRACES: [u8; 6] = [0x8b, 0x00, 0x80, b'{', b'}', 0x03];

/// A brotli metablock of 16 MiB that repeats one letter: one insert-and-copy command, 16 bytes in all.
fn brotli_zeros() -> &'static [u8] {
    include_bytes!("../../tests/fixtures/bombs/zeros.br")
}

#[test]
fn every_encoding_is_read() {
    let cases = [
        ("identity", TEXT.to_vec()),
        ("", TEXT.to_vec()),
        ("gzip", gzip(TEXT)),
        ("X-GZIP", gzip(TEXT)),
        ("Gzip ", [gzip(&TEXT[..7]), gzip(&TEXT[7..])].concat()),
        ("deflate", zlib(TEXT)),
        ("DEFLATE", raw_deflate(TEXT)),
        ("zstd", zstd::encode_all(TEXT, 3).expect("memory")),
    ];
    for (name, bytes) in cases {
        let encoding = Encoding::parse(name);
        assert_eq!(
            decoded(encoding, &bytes, 1_000).expect(name),
            TEXT,
            "{name}"
        );
    }
    assert_eq!(
        decoded(Encoding::Brotli, &BROTLI_BRACES, 10).expect("br"),
        b"{}"
    );
}

#[test]
fn unknown_and_stacked_encodings_are_refused_but_around_what_can_be_read() {
    for name in ["lzma", "gzip, br", "compress", "utf-8"] {
        let named = Encoding::parse(name);
        assert!(matches!(
            named.of_body(b"\x01\x02"),
            Err(ApiError::UnsupportedEncoding)
        ));
        for readable in [&b" {}"[..], b"[1]", b"\xef\xbb\xbf{}"] {
            assert_eq!(named.of_body(readable).expect(name), Encoding::Identity);
        }
        assert_eq!(named.of_body(&gzip(TEXT)).expect(name), Encoding::Gzip);
    }
}

#[test]
fn gzip_without_its_header_is_told_by_its_first_bytes() {
    let told = |body: &[u8]| Encoding::Identity.of_body(body).expect("readable");
    assert_eq!(told(&gzip(TEXT)), Encoding::Gzip);
    assert_eq!(told(TEXT), Encoding::Identity);
}

/// What bytes of each kind count as under each name; of those that nothing but the name tells, under their own name alone.
#[test]
fn bytes_go_before_the_name_that_they_contradict() {
    let zstd = zstd::encode_all(TEXT, 3).expect("memory");
    let [gzip, zlib, raw] = [gzip(TEXT), zlib(TEXT), raw_deflate(TEXT)];
    let names = [
        "",
        "identity",
        "gzip",
        "X-GZIP",
        "deflate",
        "DEFLATE",
        "br",
        "BR",
        "zstd",
        "utf-8",
        "lzma",
        "gzip, identity",
        "identity,gzip,",
        "gzip, gzip",
        "deflate, gzip",
        "br, zstd",
    ];
    for name in names {
        let named = Encoding::parse(name);
        let of = |bytes: &[u8]| named.of_body(bytes).ok();
        let spaced = [b"\xef\xbb\xbf \n", TEXT, b"\n"].concat();
        for json in [TEXT, b"{}", b"[]", &spaced] {
            assert_eq!(of(json), Some(Encoding::Identity), "JSON as {name:?}");
        }
        assert_eq!(of(&gzip), Some(Encoding::Gzip), "gzip as {name:?}");
        assert_eq!(of(&zstd), Some(Encoding::Zstd), "zstd as {name:?}");
        // A brotli stream may begin as zlib does.
        let zlib_is = if named == Encoding::Brotli {
            named
        } else {
            Encoding::Deflate
        };
        assert_eq!(of(&zlib), Some(zlib_is), "zlib as {name:?}");
        let is_known = named != Encoding::Unknown;
        assert_eq!(
            of(&raw),
            is_known.then_some(named),
            "raw deflate as {name:?}"
        );
        assert_eq!(
            of(&BROTLI_BRACES),
            is_known.then_some(named),
            "brotli as {name:?}"
        );
    }
}

#[test]
fn what_says_nothing_does_not_count_among_several_names() {
    for (names, encoding) in [
        ("identity", Encoding::Identity),
        (" , identity,", Encoding::Identity),
        ("gzip, identity", Encoding::Gzip),
        ("identity, BR", Encoding::Brotli),
        ("gzip, gzip", Encoding::Unknown),
        ("deflate, gzip", Encoding::Unknown),
        ("aws-chunked, gzip", Encoding::Unknown),
    ] {
        assert_eq!(Encoding::parse(names), encoding, "{names}");
    }
}

/// Streams of other codings that begin with a brace stay what their name says.
#[test]
fn a_brace_alone_is_no_json() {
    let brotli = [b'[', 0x16, 0, 0, b'}'];
    assert_eq!(
        Encoding::Brotli.of_body(&brotli).expect("named"),
        Encoding::Brotli
    );
    let raw = [b'{', 0xff, 0xfe, b'}'];
    assert_eq!(
        Encoding::Deflate.of_body(&raw).expect("named"),
        Encoding::Deflate
    );
    // A form in a beacon's body, and a charset where a coding should stand.
    assert_eq!(
        Encoding::Identity.of_body(b"x^=1&event=A").expect("text"),
        Encoding::Identity
    );
    let latin = b"{\"event\":\"Stra\xdfe\"}";
    assert_eq!(
        Encoding::parse("iso-8859-1").of_body(latin).expect("text"),
        Encoding::Identity
    );
}

#[test]
fn broken_streams_are_refused() {
    let cut = |bytes: Vec<u8>| bytes[..bytes.len() - 4].to_vec();
    let cases = [
        (Encoding::Gzip, cut(gzip(TEXT))),
        (Encoding::Gzip, TEXT.to_vec()),
        (Encoding::Deflate, cut(zlib(TEXT))),
        (Encoding::Deflate, cut(raw_deflate(TEXT))),
        (
            Encoding::Zstd,
            cut(zstd::encode_all(TEXT, 3).expect("memory")),
        ),
        (Encoding::Zstd, TEXT.to_vec()),
        (Encoding::Brotli, BROTLI_BRACES[..4].to_vec()),
        (Encoding::Brotli, TEXT.to_vec()),
    ];
    for (encoding, bytes) in cases {
        assert!(
            matches!(
                decoded(encoding, &bytes, 1_000),
                Err(ApiError::InvalidEncoding)
            ),
            "{encoding:?}"
        );
    }
}

/// Bombs of 1000:1 and more stop at the limit, in little time and memory.
#[test]
fn bombs_stop_at_the_limit() {
    let zeros = vec![0_u8; 64 << 20];
    let bombs = [
        (Encoding::Gzip, gzip(&zeros)),
        (Encoding::Deflate, zlib(&zeros)),
        (Encoding::Deflate, raw_deflate(&zeros)),
        (
            Encoding::Zstd,
            zstd::encode_all(&zeros[..], 3).expect("memory"),
        ),
        (Encoding::Brotli, brotli_zeros().to_vec()),
    ];
    let limit = 1 << 20;
    for (encoding, bytes) in bombs {
        assert!(bytes.len() < 100_000, "{encoding:?} {}", bytes.len());
        assert!(
            matches!(
                decoded(encoding, &bytes, limit),
                Err(ApiError::DecodedTooLarge { limit: told }) if told == limit
            ),
            "{encoding:?}"
        );
    }
}

/// Each part costs the making of a decoder, whatever comes out of it.
#[test]
fn many_parts_are_refused_and_some_are_read() {
    let parts = [
        (Encoding::Gzip, gzip(b"")),
        (
            Encoding::Zstd,
            zstd::encode_all(&b""[..], 3).expect("memory"),
        ),
    ];
    for (encoding, empty) in parts {
        let some = decoded(encoding, &empty.repeat(MOST_PARTS), 10);
        assert_eq!(some.expect("within the limit"), b"", "{encoding:?}");
        let many = decoded(encoding, &empty.repeat(MOST_PARTS + 1), 10);
        assert!(
            matches!(many, Err(ApiError::InvalidEncoding)),
            "{encoding:?}"
        );
    }
}

/// A window of a gigabyte, asked for by some bytes of zstd or brotli, is refused before it is made.
#[test]
fn huge_windows_are_refused() {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).expect("memory");
    encoder.window_log(27).expect("a known setting");
    encoder.include_contentsize(false).expect("a known setting");
    encoder.write_all(TEXT).expect("memory");
    encoder.flush().expect("memory");
    let bytes = encoder.finish().expect("memory");
    assert!(matches!(
        decoded(Encoding::Zstd, &bytes, 1_000),
        Err(ApiError::InvalidEncoding)
    ));
    let large_window = [0x11, 0x1e, 0x00, 0x80, b'{', b'}', 0x03];
    assert!(matches!(
        decoded(Encoding::Brotli, &large_window, 1_000),
        Err(ApiError::InvalidEncoding)
    ));
}
