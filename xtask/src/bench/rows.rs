//! The table: what was measured, beside what is asked for.

use serde_json::{Value, json};

/// What is asked of a value.
#[derive(Clone, Copy)]
pub(super) enum Bar {
    AtLeast(f64),
    AtMost(f64),
}

/// One measured value.
pub(super) struct Row {
    part: &'static str,
    what: String,
    unit: String,
    /// Of each run.
    values: Vec<f64>,
    bar: Option<Bar>,
}

impl Row {
    pub(super) fn new(
        part: &'static str,
        what: impl Into<String>,
        unit: impl Into<String>,
        values: impl Into<Vec<f64>>,
    ) -> Self {
        let (what, unit, values) = (what.into(), unit.into(), values.into());
        Self { part, what, unit, values, bar: None }
    }

    /// The same with what is asked of it.
    pub(super) fn asked(self, bar: Bar) -> Self {
        Self { bar: Some(bar), ..self }
    }

    /// Whether its median falls short.
    pub(super) fn misses(&self) -> bool {
        let median = median(&self.values);
        match self.bar {
            None => false,
            // What could not be measured misses everything.
            Some(Bar::AtLeast(least)) => median.is_nan() || median < least,
            Some(Bar::AtMost(most)) => median.is_nan() || median > most,
        }
    }

    fn line(&self) -> String {
        let digits = if median(&self.values).abs() < 100.0 { 2 } else { 0 };
        let mut value = format!("{:.digits$}", median(&self.values));
        if let [_, _, ..] = *self.values {
            let least = self.values.iter().copied().fold(f64::INFINITY, f64::min);
            let most = self.values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            value.push_str(&format!(" ({least:.digits$}-{most:.digits$})"));
        }
        let aim = match self.bar {
            None => String::new(),
            Some(Bar::AtLeast(least)) => format!("at least {least}"),
            Some(Bar::AtMost(most)) => format!("at most {most}"),
        };
        format!("| {} | {} | {value} | {} | {aim} |\n", self.part, self.what, self.unit)
    }

    /// For other programs to read.
    pub(super) fn json(&self) -> Value {
        let (at_least, at_most) = match self.bar {
            None => (None, None),
            Some(Bar::AtLeast(least)) => (Some(least), None),
            Some(Bar::AtMost(most)) => (None, Some(most)),
        };
        json!({
            "part": self.part, "what": self.what, "unit": self.unit,
            "median": median(&self.values), "values": self.values,
            "at_least": at_least, "at_most": at_most, "misses": self.misses(),
        })
    }

    /// A row that another program measured; `None` if it is none.
    pub(super) fn from_json(part: &'static str, row: &Value) -> Option<Self> {
        let value = row["value"].as_f64()?;
        let read = Self::new(part, row["what"].as_str()?, row["unit"].as_str()?, [value]);
        Some(match (row["at_least"].as_f64(), row["at_most"].as_f64()) {
            (Some(least), _) => read.asked(Bar::AtLeast(least)),
            (None, Some(most)) => read.asked(Bar::AtMost(most)),
            (None, None) => read,
        })
    }
}

/// The whole table.
pub(super) fn markdown(rows: &[Row], failures: &[String]) -> String {
    let mut text =
        String::from("| | what | median (min-max) | unit | aim |\n|---|---|---|---|---|\n");
    rows.iter().for_each(|row| text.push_str(&row.line()));
    text.push('\n');
    for row in rows.iter().filter(|row| row.misses()) {
        text.push_str(&format!("MISSED: {}, {}.\n", row.part, row.what));
    }
    for failure in failures {
        text.push_str(&format!("NOT MEASURED: {failure}\n"));
    }
    text
}

/// Value by value, one run's over the same run's other.
pub(super) fn ratios(over: &[f64], under: &[f64]) -> Vec<f64> {
    over.iter().zip(under).map(|(over, under)| over / under).collect()
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        length => f64::midpoint(sorted[(length - 1) / 2], sorted[length / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_misses_when_its_median_does() {
        let row = |values: &[f64], bar| Row::new("p", "w", "s", values).asked(bar);
        assert!(!row(&[1.0, 9.0, 3.0], Bar::AtLeast(3.0)).misses());
        assert!(row(&[1.0, 9.0, 2.0], Bar::AtLeast(3.0)).misses());
        assert!(row(&[2.0, 4.0], Bar::AtMost(2.5)).misses());
        assert!(row(&[], Bar::AtMost(2.5)).misses());
        let line = row(&[1.0, 9.0, 3.0], Bar::AtMost(2.0)).line();
        assert_eq!(line, "| p | w | 3.00 (1.00-9.00) | s | at most 2 |\n");
    }

    #[test]
    fn rows_of_other_programs_are_read() {
        let row = json!({"what": "w", "unit": "x", "value": 2.0, "at_most": 1.5});
        assert!(Row::from_json("p", &row).expect("a row").misses());
        assert!(Row::from_json("p", &json!({"what": "w"})).is_none());
    }
}
