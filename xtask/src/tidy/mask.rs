//! A Rust source without its comments and texts: they become spaces, lines stay lines. It is a
//! lexer as small as the rules need; it knows nested comments, raw and byte strings, and a lifetime
//! from a character.

/// `source` with the content of comments, strings and characters blanked.
pub(super) fn mask(source: &str) -> String {
    let mut mask = Mask { rest: source.chars().collect(), at: 0, out: String::new() };
    while mask.at < mask.rest.len() {
        mask.token();
    }
    mask.out
}

struct Mask {
    rest: Vec<char>,
    at: usize,
    out: String,
}

impl Mask {
    fn peek(&self, ahead: usize) -> char {
        self.rest.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn keep(&mut self) {
        self.out.push(self.peek(0));
        self.at += 1;
    }

    fn blank(&mut self) {
        self.out.push(if self.peek(0) == '\n' { '\n' } else { ' ' });
        self.at += 1;
    }

    fn blank_while(&mut self, goes_on: impl Fn(&Self) -> bool) {
        while self.at < self.rest.len() && goes_on(self) {
            self.blank();
        }
    }

    fn token(&mut self) {
        match (self.peek(0), self.peek(1)) {
            ('/', '/') => self.blank_while(|mask| mask.peek(0) != '\n'),
            ('/', '*') => self.comment(),
            ('"', _) => self.string(),
            ('r', '"' | '#') if self.starts_raw_string() => self.raw_string(),
            ('\'', _) => self.character_or_lifetime(),
            (first, _) if first.is_alphanumeric() || first == '_' => self.word(),
            _ => self.keep(),
        }
    }

    fn comment(&mut self) {
        let mut depth = 0;
        while self.at < self.rest.len() {
            let step = match (self.peek(0), self.peek(1)) {
                ('/', '*') => 1,
                ('*', '/') => -1,
                _ => 0,
            };
            depth += step;
            self.blank();
            if step != 0 {
                self.blank();
            }
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self) {
        self.keep();
        while self.at < self.rest.len() && self.peek(0) != '"' {
            if self.peek(0) == '\\' {
                self.blank();
            }
            self.blank();
        }
        self.keep_if_any();
    }

    fn keep_if_any(&mut self) {
        if self.at < self.rest.len() {
            self.keep();
        }
    }

    /// At an `r`: `r"` or `r#..#"`, not the raw identifier `r#fn`.
    fn starts_raw_string(&self) -> bool {
        let hashes = (1..).take_while(|ahead| self.peek(*ahead) == '#').count();
        self.peek(1 + hashes) == '"'
    }

    fn raw_string(&mut self) {
        self.keep();
        let hashes = (0..).take_while(|ahead| self.peek(*ahead) == '#').count();
        for _ in 0..=hashes {
            self.keep();
        }
        let ends =
            |mask: &Self| mask.peek(0) == '"' && (1..=hashes).all(|ahead| mask.peek(ahead) == '#');
        self.blank_while(|mask| !ends(mask));
        for _ in 0..=hashes {
            self.keep_if_any();
        }
    }

    fn character_or_lifetime(&mut self) {
        let is_character = self.peek(1) == '\\' || self.peek(2) == '\'';
        self.keep();
        if is_character {
            if self.peek(0) == '\\' {
                self.blank();
            }
            self.blank();
            self.blank_while(|mask| mask.peek(0) != '\'');
            self.keep_if_any();
        }
    }

    /// A name or number, whole, so that the `r` at its end starts no raw string.
    fn word(&mut self) {
        while self.peek(0).is_alphanumeric() || self.peek(0) == '_' {
            self.keep();
            let is_prefix = matches!(self.out.as_bytes(), [.., b'b' | b'c'])
                && !self.out[..self.out.len() - 1]
                    .ends_with(|c: char| c.is_alphanumeric() || c == '_');
            if is_prefix && self.peek(0) == 'r' && self.starts_raw_string() {
                return;
            }
        }
    }
}
