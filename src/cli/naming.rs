//! What a new project may be called: one line of a list shows it.

/// Bytes of a name.
const LONGEST: usize = 100;

/// Reads the name of a new project, without the white space around it.
///
/// # Errors
/// What is wrong with it, in words.
pub fn project_name(text: &str) -> Result<String, String> {
    let name = text.trim();
    if name.is_empty() {
        return Err("a project needs a name".to_owned());
    }
    if name.contains(char::is_control) {
        return Err("a name has no line breaks and no other control characters".to_owned());
    }
    if name.len() > LONGEST {
        let bytes = name.len();
        return Err(format!(
            "the name has {bytes} bytes, over the limit of {LONGEST}"
        ));
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::Parser;

    #[test]
    fn a_name_is_a_line_that_can_be_read() {
        let long = "x".repeat(LONGEST + 1);
        for text in ["", " ", "a\nb", "a\u{0}", long.as_str()] {
            assert!(project_name(text).is_err(), "{text:?}");
            let asked = Cli::try_parse_from(["roster", "project", "create", text]);
            assert!(asked.is_err(), "{text:?}");
        }
        assert_eq!(
            project_name(" Obst & Gemüse \n").as_deref(),
            Ok("Obst & Gemüse")
        );
        assert!(project_name(&long[1..]).is_ok());
    }
}
