//! The eight promises of Knockback, each by its name: whatever comes twice, at once, late or not at all.
//!
//! 1. Every accepted event that matches an active, unbanned webhook is attempted at least once, or its drop is recorded.
//! 2. A delivery adds at most one strike, however often its messages are duplicated. Retries add none.
//! 3. The ban starts at exactly 10 strikes and lasts its time; afterwards the counter is 0.
//! 4. A delivery has one chain of retries, however often its messages are duplicated. No attempt starts early.
//! 5. Once a caller's delete is answered, no attempt starts.
//! 6. A quota is never exceeded under concurrent creates, and never leaks.
//! 7. A webhook with a success in the last 3 days is never swept, even if the success races the sweeper.
//! 8. No caller sees, changes or infers another company's, another app's or (unless admin) another user's webhooks.

mod rule_1;
mod rule_2;
mod rule_3;
mod rule_4;
mod rule_5;
mod rule_6;
mod rule_7;
mod rule_8;
