//! Whatever bytes come from outside: nothing panics, and what is taken keeps its promises.
//!
//! Each target is a function of bytes. It is given every file of its folder under `corpus/`, and then inputs that are
//! made: mutations of those files and of what a generator writes. How many is `PROPTEST_CASES`, or a number that keeps a
//! plain test run short. An input that fails is made small and written into the folder as `found-…`, so that from then
//! on every run begins with it; it is committed with the repair. Of a batch or an array, what fails is only shown.
//!
//! A file's name says what must become of it (`accepted-…` or `refused-…`) and why it is there. What was `found-…` may be
//! either.

mod batches;
mod corpus;
mod doors;
mod event;
mod inputs;
mod json;
mod message;
mod payload;
mod reports;
mod seals;
mod target;
mod url;
