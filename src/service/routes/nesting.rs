//! How deep the lists and objects of a JSON text go, told without reading it.

/// Whether no value lies in more than `most` lists and objects; of a text that is no JSON, up to
/// where it ceases to be.
///
/// One pass, a block of bytes at a time: most blocks are digits and commas.
pub(super) fn is_within(text: &[u8], most: usize) -> bool {
    let mut walk = Walk { depth: 0, in_text: false, after_backslash: false };
    text.chunks(64).all(|block| {
        if walk.in_text || block.iter().fold(false, |any, byte| any | is_structure(*byte)) {
            return block.iter().all(|byte| walk.step(*byte) <= most);
        }
        true
    })
}

/// Quotes and all four brackets; `[` and `{` differ in one bit, and so do `]` and `}`.
fn is_structure(byte: u8) -> bool {
    matches!(byte | 0x20, b'"' | b'{' | b'}')
}

struct Walk {
    depth: usize,
    in_text: bool,
    after_backslash: bool,
}

impl Walk {
    /// The depth after this byte.
    fn step(&mut self, byte: u8) -> usize {
        if self.in_text {
            let ends = byte == b'"' && !self.after_backslash;
            self.after_backslash = byte == b'\\' && !self.after_backslash;
            self.in_text = !ends;
            return self.depth;
        }
        match byte {
            b'"' => self.in_text = true,
            b'[' | b'{' => self.depth += 1,
            b']' | b'}' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.depth
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The least depth that a text is within.
    fn depth(text: &str) -> usize {
        (0..9).find(|most| is_within(text.as_bytes(), *most)).unwrap_or(usize::MAX)
    }

    #[test]
    fn brackets_count_where_they_are_not_text() {
        for (text, expected) in [
            ("", 0),
            ("1", 0),
            ("[]", 1),
            ("[[],{},[{}]]", 3),
            ("{\"a\":[1,[2]]}", 3),
            ("[\"[[[{\",{\"]]\":1}]", 2),
            ("[\"\\\"[[\",[]]", 2),
            ("[\"\\\\\",[[]]]", 3),
            ("[\"\\\\\\\"[[[[\"]", 1),
            ("]]]][", 1),
        ] {
            assert_eq!(depth(text), expected, "{text}");
        }
    }

    #[test]
    fn blocks_without_a_bracket_change_nothing() {
        for blanks in 0..200 {
            let gap = " ".repeat(blanks);
            assert_eq!(depth(&format!("{gap}[{gap}[\"{gap}[[[\\n{gap}\"{gap}[{gap}]]{gap}]")), 3, "{blanks}");
        }
    }
}
