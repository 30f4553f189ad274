//! Fires schedules: by the machine's time in the runner, by a virtual clock where tests move one.
//!
//! As `EventBridge` does, a schedule fires for the first time one period after the start, and then every period. The runner
//! fires each at its start as well: what came due while it did not run is taken up at once. A firing that fails is not
//! repeated before the schedule's next time.

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use knockback::domain::Timestamp;
use tokio::{sync::oneshot, task::JoinHandle, time::MissedTickBehavior};

use crate::{system::System, template::Schedule};

/// When each of a system's schedules fires next.
#[derive(Debug)]
pub(crate) struct Timetable(Mutex<Vec<Entry>>);

#[derive(Debug)]
struct Entry {
    next: Timestamp,
    every: Duration,
}

impl Timetable {
    /// That of a system that starts now.
    pub(crate) fn new(now: Timestamp, schedules: &[Schedule]) -> Self {
        let entry = |schedule: &Schedule| Entry { next: now + schedule.every, every: schedule.every };
        Self(Mutex::new(schedules.iter().map(entry).collect()))
    }

    /// The earliest time at which one fires.
    fn next(&self) -> Option<Timestamp> {
        self.entries().iter().map(|entry| entry.next).min()
    }

    /// The places, among the schedules, of those that are due, and moves them to their next times after now. One that
    /// has missed some of its times is due once.
    fn take_due(&self, now: Timestamp) -> Vec<usize> {
        let mut due = Vec::new();
        for (place, entry) in self.entries().iter_mut().enumerate().filter(|(_, entry)| entry.next <= now) {
            due.push((entry.next, place));
            entry.next = entry.after(now);
        }
        due.sort_unstable();
        due.into_iter().map(|(_, place)| place).collect()
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// The first of its times after `now`.
    fn after(&self, now: Timestamp) -> Timestamp {
        let every_ms = i64::try_from(self.every.as_millis()).unwrap_or(i64::MAX).max(1);
        let late_ms = now.as_ms().saturating_sub(self.next.as_ms());
        now + Duration::from_millis((every_ms - late_ms % every_ms).unsigned_abs())
    }
}

impl System {
    /// When a schedule fires next, or should have already; `None` if there are no schedules. For who moves a virtual clock.
    pub fn next_schedule(&self) -> Option<Timestamp> {
        self.timetable.next()
    }

    /// Fires the schedules that are due, one after the other, and returns how many these were. For who moves a virtual
    /// clock: if it jumps over several times of a schedule, that fires once.
    pub async fn fire_due_schedules(&self) -> usize {
        let due = self.timetable.take_due(self.context.now());
        for place in &due {
            self.fire(&self.schedules[*place]).await;
        }
        due.len()
    }
}

/// Fires one schedule, by the machine's time, until it is stopped.
#[derive(Debug)]
pub struct Ticker {
    running: JoinHandle<()>,
    /// Dropped to stop it.
    stop: oneshot::Sender<()>,
}

impl Ticker {
    /// Fires the schedule now and then every period.
    pub fn start(system: &System, schedule: &Schedule) -> Self {
        let (system, schedule) = (system.clone(), schedule.clone());
        let functions = Arc::clone(&system.functions);
        let ready = move || {
            let functions = Arc::clone(&functions);
            async move { functions.reachable().await }
        };
        Self::tick(schedule.every, ready, move || {
            let (system, schedule) = (system.clone(), schedule.clone());
            async move {
                // What went wrong is in the log.
                system.fire(&schedule).await;
            }
        })
    }

    /// Has none of the tickers fire any more, then waits for the firings that are under way.
    pub async fn stop_all(tickers: Vec<Self>) {
        let stop = |ticker: Self| {
            drop(ticker.stop);
            ticker.running
        };
        let running: Vec<_> = tickers.into_iter().map(stop).collect();
        for ticker in running {
            // A ticker that has ended fires nothing.
            let _ = ticker.await;
        }
    }

    /// Fires every period, each time once it is ready to.
    fn tick<R, F>(
        every: Duration,
        ready: impl Fn() -> R + Send + 'static,
        fire: impl Fn() -> F + Send + 'static,
    ) -> Self
    where
        R: Future<Output = ()> + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let (stop, mut stopped) = oneshot::channel();
        let running = tokio::spawn(async move {
            let mut times = tokio::time::interval(every);
            times.set_missed_tick_behavior(MissedTickBehavior::Skip);
            loop {
                tokio::select! {
                    biased;
                    _ = &mut stopped => return,
                    _ = times.tick() => {}
                }
                tokio::select! {
                    biased;
                    _ = &mut stopped => return,
                    () = ready() => {}
                }
                // A panic is told where it happens, and ends this firing only.
                let _ = tokio::spawn(fire()).await;
            }
        });
        Self { running, stop }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use knockback::{
        clock::{SystemEntropy, VirtualClock},
        sender::Internet,
    };
    use serde_json::Value;
    use tokio::sync::{Semaphore, mpsc};

    use super::*;
    use crate::{
        system::{Settings, Surroundings},
        template::TEMPLATE,
    };

    const START: Timestamp = Timestamp::from_ms(1_800_000_000_000);
    const MINUTE: Duration = Duration::from_mins(1);

    fn timetable(minutes: &[u32]) -> Timetable {
        let schedule = |minutes: &u32| Schedule {
            function: "Sweeper".to_owned(),
            name: format!("Every{minutes}"),
            every: MINUTE * *minutes,
            input: Value::Null,
        };
        Timetable::new(START, &minutes.iter().map(schedule).collect::<Vec<_>>())
    }

    #[test]
    fn a_schedule_fires_one_period_after_the_start_and_then_every_period() {
        let timetable = timetable(&[5, 60]);
        assert_eq!(timetable.take_due(START), [0; 0]);
        let mut fired = Vec::new();
        while let Some(next) = timetable.next().filter(|next| *next <= START + MINUTE * 125) {
            fired.extend(
                timetable.take_due(next).into_iter().map(|place| (next.since(START).as_secs() / 60, place)),
            );
        }
        let mut expected: Vec<_> = (1..=25).map(|times| (times * 5, 0)).chain([(60, 1), (120, 1)]).collect();
        expected.sort_unstable();
        assert_eq!(fired, expected);
    }

    #[test]
    fn a_schedule_that_missed_its_times_fires_once_and_goes_on_at_those_that_it_would_have_had() {
        let timetable = timetable(&[5, 60]);
        let late = START + MINUTE * 61 + Duration::from_secs(7);
        assert_eq!(timetable.take_due(late), [0, 1]);
        assert_eq!(timetable.take_due(late), [0; 0]);
        assert_eq!(timetable.next(), Some(START + MINUTE * 65));
        assert_eq!(timetable.take_due(START + MINUTE * 120), [0, 1]);
        assert_eq!(timetable.next(), Some(START + MINUTE * 125));
    }

    #[test]
    fn without_schedules_nothing_ever_fires() {
        assert_eq!(timetable(&[]).next(), None);
    }

    /// The system of this build with one more function, which is in the template only.
    async fn system(clock: &VirtualClock) -> System {
        let schedules = ["1 hour", "5 minutes"].map(|period| {
            format!(
                "        Every{}:\n          Type: ScheduleV2\n          Properties: {{ ScheduleExpression: rate({period}), Input: '{{}}' }}\n",
                period.replace(' ', "")
            )
        });
        let function = "\n  Absent:\n    Type: AWS::Serverless::Function\n    Properties:\n      Events:\n";
        let settings = Settings::of_a_test();
        let (clock, entropy) = (Arc::new(clock.clone()), Arc::new(SystemEntropy));
        let surroundings = Surroundings { clock, entropy, internet: Internet::default(), settings };
        let function = format!("\nResources:{function}{}\n", schedules.concat());
        let template = TEMPLATE.replacen("\nResources:\n", &function, 1);
        System::start_from(&template, None, surroundings).await.expect("a system")
    }

    #[tokio::test]
    async fn whoever_moves_a_virtual_clock_fires_what_is_due_and_a_function_that_fails_is_fired_again() {
        let clock = VirtualClock::new(START);
        let system = system(&clock).await;
        assert_eq!(system.next_schedule(), Some(START + MINUTE * 5));
        assert_eq!(system.fire_due_schedules().await, 0);
        let absent: Vec<_> = system.schedules.iter().filter(|it| it.function == "Absent").cloned().collect();
        assert_eq!(absent.len(), 2);
        assert!(!system.fire(&absent[0]).await, "there is no such function");
        for minutes in [5, 10, 60] {
            clock.set(START + MINUTE * minutes);
            assert!(system.fire_due_schedules().await > 0, "{minutes}");
            assert_eq!(system.next_schedule(), Some(START + MINUTE * (minutes + 5)));
        }
    }

    #[tokio::test]
    async fn a_ticker_fires_at_once_and_every_period_even_after_a_panic_until_it_is_stopped() {
        let (fired, mut firings) = mpsc::unbounded_channel();
        let ticker = Ticker::tick(
            Duration::from_millis(1),
            async || {},
            move || {
                let fired = fired.clone();
                async move {
                    fired.send(()).expect("somebody listens");
                    panic!("as a test");
                }
            },
        );
        for _ in 0..3 {
            firings.recv().await.expect("a firing");
        }
        Ticker::stop_all(vec![ticker]).await;
        while firings.recv().await.is_some() {}
    }

    #[tokio::test]
    async fn firings_never_overlap_and_a_stop_waits_for_the_one_that_is_under_way() {
        let (begun, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (fired, mut firings) = mpsc::unbounded_channel();
        let gate = Arc::new(Semaphore::new(0));
        let ticker = Ticker::tick(Duration::from_millis(1), async || {}, {
            let (begun, ended, gate) = (Arc::clone(&begun), Arc::clone(&ended), Arc::clone(&gate));
            move || {
                let (begun, ended, gate, fired) =
                    (Arc::clone(&begun), Arc::clone(&ended), Arc::clone(&gate), fired.clone());
                async move {
                    assert_eq!(begun.fetch_add(1, Ordering::SeqCst), ended.load(Ordering::SeqCst));
                    fired.send(()).expect("somebody listens");
                    gate.acquire().await.expect("is open").forget();
                    ended.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        firings.recv().await.expect("a firing");
        gate.add_permits(1);
        firings.recv().await.expect("another, after the first");
        let stop = Ticker::stop_all(vec![ticker]);
        let open = async { gate.add_permits(1) };
        tokio::join!(stop, open);
        assert_eq!((begun.load(Ordering::SeqCst), ended.load(Ordering::SeqCst)), (2, 2));
    }
}
