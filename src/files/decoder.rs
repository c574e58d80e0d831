//! From the bytes of a file to UTF-8, wherever they are cut.
//!
//! What stands for no character becomes a byte that is never in UTF-8, so that its record, and no other, is refused: nothing is
//! replaced in silence.

use super::encoding::Encoding;
use super::signature::{self, Told};
use super::unusable::Unusable;
use super::wrapped;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

const NEVER: u8 = 0xff;

/// A decoder with what it has not decoded yet.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Decoder {
    /// `None` until the first bytes have told.
    encoding: Option<Encoding>,
    /// The first bytes, or half a character.
    open: Vec<u8>,
}

impl Decoder {
    /// What the first bytes or the layout have told.
    pub fn encoding(&self) -> Option<Encoding> {
        self.encoding
    }

    /// Decodes the next bytes. `said` is what the layout says; `is_end` of the last ones.
    ///
    /// # Errors
    /// Where the first bytes are of a file that can't be read.
    pub fn decode<'a>(
        &mut self,
        said: Option<Encoding>,
        bytes: &'a [u8],
        is_end: bool,
    ) -> Result<Cow<'a, [u8]>, Unusable> {
        if let Some(encoding) = self.encoding {
            return Ok(self.decoded(encoding, bytes, is_end));
        }
        self.open.extend_from_slice(bytes);
        if self.open.len() < signature::FIRST_BYTES && !is_end {
            return Ok(Cow::Borrowed(&[]));
        }
        Ok(Cow::Owned(self.begin(said, is_end)?))
    }

    /// Nobody sends more: what the first bytes are to tell they tell by as many as there are. What was held back until then.
    ///
    /// # Errors
    /// As `decode`.
    pub fn leave(&mut self, said: Option<Encoding>) -> Result<Vec<u8>, Unusable> {
        match self.encoding {
            Some(_) => Ok(Vec::new()),
            None => self.begin(said, false),
        }
    }

    fn begin(&mut self, said: Option<Encoding>, is_end: bool) -> Result<Vec<u8>, Unusable> {
        let first = std::mem::take(&mut self.open);
        let (encoding, mark) = told(said, &first)?;
        self.encoding = Some(encoding);
        let text = self.decoded(encoding, &first[mark..], is_end);
        Ok(text.into_owned())
    }

    fn decoded<'a>(&mut self, encoding: Encoding, bytes: &'a [u8], is_end: bool) -> Cow<'a, [u8]> {
        if encoding == Encoding::UTF_8 {
            Cow::Borrowed(bytes)
        } else if encoding == Encoding::UTF_16_LE {
            Cow::Owned(self.wide(bytes, is_end, u16::from_le_bytes))
        } else if encoding == Encoding::UTF_16_BE {
            Cow::Owned(self.wide(bytes, is_end, u16::from_be_bytes))
        } else {
            let (text, _) = encoding.0.decode_without_bom_handling(bytes);
            Cow::Owned(text.into_owned().into_bytes())
        }
    }

    fn wide(&mut self, bytes: &[u8], is_end: bool, unit: fn([u8; 2]) -> u16) -> Vec<u8> {
        let mut all = std::mem::take(&mut self.open);
        all.extend_from_slice(bytes);
        let units = all.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
        let mut units: Vec<u16> = units.collect();
        let mut whole = units.len() * 2;
        // The second half of the pair may follow.
        if !is_end
            && units
                .last()
                .is_some_and(|last| (0xd800..0xdc00).contains(last))
        {
            units.pop();
            whole -= 2;
        }
        let mut text = Vec::with_capacity(all.len());
        for character in char::decode_utf16(units) {
            match character {
                Ok(character) => {
                    text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                Err(_) => text.push(NEVER),
            }
        }
        self.open = all[whole..].to_vec();
        if is_end && !self.open.is_empty() {
            self.open.clear();
            text.push(NEVER);
        }
        text
    }
}

/// The encoding, and how many bytes its mark takes.
fn told(said: Option<Encoding>, first: &[u8]) -> Result<(Encoding, usize), Unusable> {
    if signature::told(first)? != Told::Plain {
        let message = "the file is compressed twice: compress it once";
        return Err(Unusable::of("unsupported_file", message));
    }
    let marks: [(&[u8], Encoding); 3] = [
        (b"\xef\xbb\xbf", Encoding::UTF_8),
        (b"\xff\xfe", Encoding::UTF_16_LE),
        (b"\xfe\xff", Encoding::UTF_16_BE),
    ];
    let marked = marks.iter().find(|(mark, _)| first.starts_with(mark));
    match (marked, said) {
        // A mark is sure, whatever was said.
        (Some((mark, own)), _) => Ok((*own, mark.len())),
        // Of a file in whatever encoding they are listed in UTF-8, and come back so with the same settings.
        (None, Some(_)) if wrapped::is_of_rejections(first) => Ok((Encoding::UTF_8, 0)),
        (None, Some(said)) => Ok((said, 0)),
        (None, None) if is_wide(first) => {
            let message = "the file looks like UTF-16 without its mark: say encoding=utf-16le or utf-16be, or save it as UTF-8";
            Err(Unusable::of("encoding", message))
        }
        (None, None) => Ok((Encoding::UTF_8, 0)),
    }
}

/// True where every second byte, or nearly so, is 0 and hardly any other is.
fn is_wide(first: &[u8]) -> bool {
    let zeros = |from: usize| {
        first
            .iter()
            .skip(from)
            .step_by(2)
            .filter(|byte| **byte == 0)
            .count()
    };
    let (even, odd) = (zeros(0), zeros(1));
    let half = first.len() / 2;
    half >= 2 && even.max(odd) * 4 >= half * 3 && even.min(odd) * 8 <= half
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(said: Option<Encoding>, bytes: &[u8], cut: usize) -> Result<Vec<u8>, Unusable> {
        let mut decoder = Decoder::default();
        let mut text = Vec::new();
        for piece in bytes.chunks(cut) {
            text.extend_from_slice(&decoder.decode(said, piece, false)?);
        }
        text.extend_from_slice(&decoder.decode(said, &[], true)?);
        Ok(text)
    }

    fn wide(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn row_2_marks_tell_the_encoding_wherever_bytes_are_cut() {
        let text = "email\tname\r\na@x.test\tZoë 🦀\r\n".repeat(4);
        let marked = format!("\u{feff}{text}");
        for cut in [1, 2, 3, 7, 1_000] {
            for bytes in [
                wide(&marked, u16::to_le_bytes),
                wide(&marked, u16::to_be_bytes),
                marked.clone().into_bytes(),
                text.clone().into_bytes(),
            ] {
                assert_eq!(
                    decoded(None, &bytes, cut),
                    Ok(text.clone().into_bytes()),
                    "{cut}"
                );
            }
        }
    }

    #[test]
    fn row_2_utf_16_without_a_mark_is_refused_once_and_read_where_it_is_said() {
        let bytes = wide("email,name\n", u16::to_le_bytes);
        let refused = decoded(None, &bytes, 5).expect_err("no mark");
        assert_eq!(refused.code, "encoding");
        let said = Encoding::parse("utf-16le").ok();
        assert_eq!(decoded(said, &bytes, 5), Ok(b"email,name\n".to_vec()));
    }

    #[test]
    fn row_2_a_mark_goes_before_what_is_said() {
        for said in ["utf-8", "utf-16be", "windows-1252"].map(Encoding::parse) {
            for bytes in [
                wide("\u{feff}a,ö\n", u16::to_le_bytes),
                "\u{feff}a,ö\n".into(),
            ] {
                let text = decoded(said.clone().ok(), &bytes, 3);
                assert_eq!(text, Ok("a,ö\n".into()), "{said:?}");
            }
        }
    }

    #[test]
    fn tables_with_a_byte_for_each_character_are_read_by_their_names() {
        let said = Encoding::parse("windows-1252").ok();
        let text = decoded(said, b"Caf\xe9 \x96 ok", 3);
        assert_eq!(text, Ok("Café – ok".as_bytes().to_vec()));
        assert!(Encoding::parse("shift_jis").is_err());
        assert!(Encoding::parse("klingon").is_err());
    }

    #[test]
    fn what_stands_for_no_character_spoils_no_more_than_its_record() {
        let mut bytes = vec![0xff, 0xfe];
        bytes.extend(wide("a\n", u16::to_le_bytes));
        bytes.extend([0x00, 0xd8, b'\n', 0, b'b', 0, b'c']);
        assert_eq!(decoded(None, &bytes, 1), Ok(b"a\n\xff\nb\xff".to_vec()));
    }

    /// The beginning of an archive with one file.
    fn tar() -> Vec<u8> {
        let mut header = b"people.ndjson".to_vec();
        header.resize(257, 0);
        [
            &header[..],
            b"ustar\x0000",
            &[0; 248],
            b"{\"type\":\"identify\"}\n",
        ]
        .concat()
    }

    #[test]
    fn row_14_other_kinds_of_files_are_told_by_their_first_bytes() {
        for (first, hint) in [
            (&b"PK\x03\x04\x14\0"[..], "zip"),
            (b"------------------------d74496d66958873e\r\nContent-Disposition: form-data; name=\"file\"", "multipart"),
            (b"PAR1\x15\x04", "Parquet"),
            (b"\x1f\x8b\x08\0", "twice"),
            (b"\xff\xfe\0\0e\0\0\0m\0\0\0", "UTF-32"),
            (b"\xef\xbb\xbf\n <!DOCTYPE html><html>", "page"),
            (b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code>", "XML"),
            (b"]\0\0\x80\0\xff", "lzma"),
            (b"7z\xbc\xaf\x27\x1c\0\x04", "7z"),
            (&tar(), "tar"),
        ] {
            let refused = decoded(None, first, 9).expect_err(hint);
            assert!(refused.is_of_another_kind() && refused.message.contains(hint), "{refused}");
        }
        assert_eq!(decoded(None, b"--\nC S", 9), Ok(b"--\nC S".to_vec()));
    }
}
