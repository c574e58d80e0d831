//! Turns: what is measured for a few seconds, round after round, so that what else happens on the machine meets all alike.

use super::cost::Spent;
use super::kind::Kind;
use super::machine::Cpu;
use super::progress::Progress;
use super::settings::Settings;
use super::tally::Tally;
use anyhow::Result;

/// What one turn gave.
pub struct Turn {
    pub kind: Kind,
    pub round: usize,
    pub tally: Tally,
    pub seconds: f64,
    pub cpu: Cpu,
    /// What the database did for it, where that is known.
    pub spent: Option<Spent>,
}

impl Turn {
    pub fn rate(&self) -> f64 {
        self.tally.items as f64 / self.seconds
    }
}

/// Takes the turns of all rounds: every other one backwards, so that no kind always comes after the same other. Those of the warm-up
/// are given back too; `counted` leaves them out.
pub async fn take_rounds(
    settings: &Settings,
    progress: &Progress,
    kinds: &[Kind],
    mut take: impl AsyncFnMut(Kind, usize) -> Result<Turn>,
) -> Result<Vec<Turn>> {
    let mut turns = Vec::new();
    for round in 0..usize::from(settings.rounds) {
        for kind in order(kinds, round) {
            progress.begin(&format!(
                "round {} of {}, {}",
                round + 1,
                settings.rounds,
                kind.title()
            ));
            let turn = take(kind, round).await?;
            let rate = turn.rate();
            progress.say(&format!("round {round}: {rate:>9.0}/s  {}", kind.title()));
            turns.push(turn);
        }
    }
    Ok(turns)
}

fn order(kinds: &[Kind], round: usize) -> Vec<Kind> {
    let mut order = kinds.to_vec();
    if round % 2 == 1 {
        order.reverse();
    }
    order
}

/// The turns that count.
pub fn counted(settings: &Settings, mut turns: Vec<Turn>) -> Vec<Turn> {
    turns.retain(|turn| turn.round >= settings.warm_ups());
    turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_other_round_runs_backwards() {
        let kinds = [Kind::RawEvents2, Kind::Batch];
        assert_eq!(order(&kinds, 2), kinds);
        assert_eq!(order(&kinds, 3), [Kind::Batch, Kind::RawEvents2]);
    }
}
