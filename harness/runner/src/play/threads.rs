//! Threads of the diagram: which act may be performed, and what is expected at the moment.
//!
//! A thread is one branch. It performs an act only when everything before it in its branch has been seen;
//! expectations after the last act are registered all at once, ordered on each connection and not across them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use mpchat_script::ast::{Frame, Kind, What};

use crate::program::{Leaf, LeafKind, Program, Step};
use crate::stop::Stop;

use super::{Play, text_of};

/// One branch being played.
#[derive(Debug)]
pub(crate) struct Thread {
    pub(crate) id: usize,
    parent: Option<usize>,
    /// How many branches of its `par` still have acts before them.
    children: usize,
    pub(crate) steps: VecDeque<Step>,
    /// Expectations that its next act waits for.
    pub(super) pending: Vec<usize>,
    /// The choice of the subject that it waits for.
    choice: Option<usize>,
    /// Whether it is a branch: its actors are fenced before they speak.
    branch: bool,
    /// What follows must not come before.
    pub(crate) not_before: Option<Instant>,
    /// When the timer before the next act has certainly run out.
    pub(crate) timer_over: Option<Instant>,
}

/// Something that the subject should do.
#[derive(Debug)]
pub(crate) struct Expectation {
    pub(crate) leaf: Arc<Leaf>,
    pub(super) thread: usize,
    /// Earlier ones on the same connection.
    after: Vec<usize>,
    /// The group of alternatives, and what follows if this one is taken.
    group: Option<(usize, Vec<Step>)>,
    /// It need not happen.
    optional: bool,
    pub(crate) not_before: Option<Instant>,
    pub(crate) state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Waiting,
    Seen,
    /// Another alternative was taken.
    Dropped,
}

impl Play {
    /// Plays the diagram to its last line.
    pub(crate) async fn play(&mut self, program: &Program) -> Result<(), Stop> {
        self.spawn(None, program.steps.clone(), Vec::new(), None);
        // What was heard since the logins is judged from here on, when there is a diagram to judge it by.
        for conn in &mut self.conns {
            conn.holding = false;
        }
        self.rejudge_all()?;
        loop {
            while self.advance().await? {}
            if self.threads.is_empty() && !self.is_waiting() {
                return Ok(());
            }
            self.await_progress().await?;
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.expectations.iter().any(|e| e.state == State::Waiting && !e.optional)
    }

    /// The expectations that could be met now, oldest first.
    pub(crate) fn candidates(&self, conn: &str) -> Vec<usize> {
        let ready = |e: &Expectation| {
            e.state == State::Waiting
                && e.leaf.conn == conn
                && e.after.iter().all(|n| self.expectations.get(*n).is_none_or(|e| e.state != State::Waiting))
        };
        self.expectations.iter().enumerate().filter(|(_, e)| ready(e)).map(|(n, _)| n).collect()
    }

    /// What might have come on a connection that is over does not come on the next one.
    pub(crate) fn drop_optional(&mut self, conn: &str) {
        for other in self.expectations.iter_mut().filter(|e| e.optional && e.leaf.conn == conn) {
            if other.state == State::Waiting {
                other.state = State::Dropped;
            }
        }
    }

    /// Whether a line is still to come on a connection, however long it is held back (MSG-20).
    pub(crate) fn is_line_awaited(&self, conn: &str, text: &str) -> bool {
        let is_it = |leaf: &Leaf| match &leaf.what {
            LeafKind::Frame(frame) => matches!(&frame.what, What::Message(message)
                if message.kind == Kind::MsgReq && text_of(message.payload.as_ref()) == text),
            _ => false,
        };
        let awaited = |e: &&Expectation| e.state == State::Waiting && !e.optional && e.group.is_none();
        self.expectations.iter().filter(awaited).any(|e| e.leaf.conn == conn && is_it(&e.leaf))
    }

    /// The expectation that has waited longest.
    pub(crate) fn oldest_waiting(&self) -> Option<&Expectation> {
        self.expectations.iter().find(|e| e.state == State::Waiting && !e.optional)
    }

    /// Marks an expectation as met, and lets its thread go on.
    pub(crate) fn met(&mut self, number: usize) {
        self.progress = Instant::now();
        let Some(expectation) = self.expectations.get_mut(number) else { return };
        expectation.state = State::Seen;
        let (owner, optional, conn) = (expectation.thread, expectation.optional, expectation.leaf.conn.clone());
        // What might have come before this on the same connection, in the same branch or within it, has not.
        for (n, other) in self.expectations.iter_mut().enumerate() {
            let within = is_within(&self.parents, other.thread, owner);
            let passed = other.optional && other.leaf.conn == conn && (within || other.thread == owner && n < number);
            if passed && other.state == State::Waiting {
                other.state = State::Dropped;
            }
        }
        let Some(expectation) = self.expectations.get_mut(number) else { return };
        let Some((group, rest)) = expectation.group.take() else { return };
        for other in &mut self.expectations {
            if other.group.as_ref().is_some_and(|(g, _)| *g == group) && other.state == State::Waiting {
                other.state = State::Dropped;
            }
        }
        if optional {
            self.spawn(Some(owner), rest, Vec::new(), None);
        } else if let Some(thread) = self.threads.iter_mut().find(|t| t.id == owner) {
            thread.choice = None;
            for step in rest.into_iter().rev() {
                thread.steps.push_front(step);
            }
        }
    }

    fn spawn(&mut self, parent: Option<usize>, steps: Vec<Step>, pending: Vec<usize>, not_before: Option<Instant>) {
        let id = self.next_thread;
        self.next_thread += 1;
        if let Some(parent) = parent {
            self.parents.insert(id, parent);
        }
        let parent = parent.filter(|p| self.threads.iter().any(|t| t.id == *p));
        if let Some(parent) = parent.and_then(|p| self.threads.iter_mut().find(|t| t.id == p)) {
            parent.children += 1;
        }
        self.threads.push(Thread {
            id,
            parent,
            children: 0,
            steps: steps.into(),
            pending,
            choice: None,
            branch: parent.is_some(),
            not_before,
            timer_over: None,
        });
    }

    /// Lets every thread go as far as it can without hearing anything; whether any did.
    async fn advance(&mut self) -> Result<bool, Stop> {
        let ids: Vec<usize> = self.threads.iter().map(|t| t.id).collect();
        let mut moved = false;
        for id in ids {
            while self.advance_thread(id).await? {
                moved = true;
            }
        }
        Ok(moved)
    }

    /// One step of one thread; false if it waits or is done.
    async fn advance_thread(&mut self, id: usize) -> Result<bool, Stop> {
        let Some(at) = self.threads.iter().position(|t| t.id == id) else { return Ok(false) };
        let expectations = &self.expectations;
        let Some(thread) = self.threads.get_mut(at) else { return Ok(false) };
        thread.pending.retain(|n| expectations.get(*n).is_some_and(|e| e.state == State::Waiting));
        if thread.choice.is_some() || thread.children > 0 {
            return Ok(false);
        }
        match thread.steps.front() {
            None => {
                self.retire(at);
                Ok(true)
            }
            Some(Step::Expect(_)) => {
                self.register_front(at);
                self.rejudge_all()?;
                Ok(true)
            }
            // Acts that open branches are one burst, so all of them wait for what is due before.
            Some(Step::Par(branches)) if !thread.pending.is_empty() && branches.iter().any(|b| opens_with_act(b)) => {
                Ok(false)
            }
            Some(Step::Par(_)) => {
                self.fork(at).await?;
                Ok(true)
            }
            Some(Step::Alt(_) | Step::Opt(_)) => {
                self.offer(at);
                self.rejudge_all()?;
                Ok(true)
            }
            Some(Step::Act(_) | Step::Until(_)) if !thread.pending.is_empty() => Ok(false),
            Some(Step::Act(leaf)) if leaf.is_note() => {
                let leaf = Arc::clone(leaf);
                thread.steps.pop_front();
                self.perform_note(id, &leaf).await?;
                self.rejudge_all()?;
                Ok(true)
            }
            Some(Step::Act(_)) => self.burst(at).await,
            Some(Step::Until(until)) => {
                let until = Arc::clone(until);
                self.until(at, &until).await?;
                Ok(true)
            }
        }
    }

    /// Performs the acts at the front of a thread, without waiting between them.
    async fn burst(&mut self, at: usize) -> Result<bool, Stop> {
        let Some(thread) = self.threads.get_mut(at) else { return Ok(false) };
        let (id, branch) = (thread.id, thread.branch);
        let Some(Step::Act(first)) = thread.steps.front().cloned() else { return Ok(false) };
        if thread.timer_over.is_some() {
            self.wait_for_timer_of(id).await?;
            return Ok(true);
        }
        if branch {
            if !self.may_answer(&first) {
                return Ok(false);
            }
            self.fence_before_speaking(&first.conn).await?;
            // What was heard meanwhile may have changed the threads.
            if !self
                .threads
                .iter()
                .any(|t| t.id == id && matches!(t.steps.front(), Some(Step::Act(f)) if Arc::ptr_eq(f, &first)))
            {
                return Ok(true);
            }
        }
        for leaf in self.take_burst(id) {
            self.perform(&leaf).await?;
        }
        self.flush_joined();
        self.rejudge_all()?;
        Ok(true)
    }

    /// Takes the neighbouring acts at the front of a thread. An ending is the last of its burst: only when the
    /// stream was read to its end does the next act start.
    fn take_burst(&mut self, id: usize) -> Vec<Arc<Leaf>> {
        let mut burst = Vec::new();
        let Some(thread) = self.threads.iter_mut().find(|t| t.id == id) else { return burst };
        while let Some(Step::Act(leaf)) = thread.steps.front() {
            let other_branch_first = thread.branch && !burst.is_empty() && is_answer(leaf);
            if leaf.is_note() || other_branch_first {
                break;
            }
            let ending = matches!(leaf.what, LeafKind::Ending(_));
            burst.push(Arc::clone(leaf));
            thread.steps.pop_front();
            if ending {
                break;
            }
        }
        // A branch that begins with what the timer causes still waits for the timer.
        if !burst.is_empty() {
            thread.not_before = None;
        }
        burst
    }

    /// Starts the branches of a `par`. The acts with which branches begin are one burst.
    async fn fork(&mut self, at: usize) -> Result<(), Stop> {
        let Some(thread) = self.threads.get_mut(at) else { return Ok(()) };
        let Some(Step::Par(branches)) = thread.steps.pop_front() else { return Ok(()) };
        thread.timer_over = None;
        let (id, pending, not_before) = (thread.id, thread.pending.clone(), thread.not_before);
        let opening_acts = pending.is_empty();
        let first_child = self.next_thread;
        for branch in branches {
            self.spawn(Some(id), branch, pending.clone(), not_before);
        }
        if !opening_acts {
            return Ok(());
        }
        let children: Vec<usize> = (first_child..self.next_thread).collect();
        let mut leaves = Vec::new();
        for child in children {
            leaves.extend(self.take_burst(child));
        }
        for leaf in leaves {
            self.perform(&leaf).await?;
        }
        self.flush_joined();
        Ok(())
    }

    /// Registers the expectation at the front of a thread.
    fn register_front(&mut self, at: usize) {
        let Some(thread) = self.threads.get_mut(at) else { return };
        let Some(Step::Expect(leaf)) = thread.steps.pop_front() else { return };
        // What the timer causes is seen before the next act; nothing else has to wait for it.
        thread.timer_over = None;
        let after = same_connection(&self.expectations, &thread.pending, &leaf.conn);
        let number = self.expectations.len();
        thread.pending.push(number);
        self.expectations.push(Expectation {
            leaf,
            thread: thread.id,
            after,
            group: None,
            optional: false,
            not_before: thread.not_before,
            state: State::Waiting,
        });
    }

    /// Registers the first lines of an `alt` or `opt` of the subject's.
    fn offer(&mut self, at: usize) {
        let Some(thread) = self.threads.get_mut(at) else { return };
        let (branches, optional) = match thread.steps.pop_front() {
            Some(Step::Alt(branches)) => (branches, false),
            Some(Step::Opt(branch)) => (vec![branch], true),
            _ => return,
        };
        let group = self.next_group;
        self.next_group += 1;
        if !optional {
            thread.choice = Some(group);
        }
        for branch in branches {
            let mut steps = branch.into_iter();
            let Some(Step::Expect(leaf)) = steps.next() else { continue };
            // A crowd's first line is one line a user: the first of them decides, the others follow it.
            let after = same_connection(&self.expectations, &thread.pending, &leaf.conn);
            self.expectations.push(Expectation {
                leaf,
                thread: thread.id,
                after,
                group: Some((group, steps.collect())),
                optional,
                not_before: thread.not_before,
                state: State::Waiting,
            });
        }
    }

    /// Ends a thread without steps; what it still expects becomes its parent's.
    fn retire(&mut self, at: usize) {
        let thread = self.threads.remove(at);
        if let Some(parent) = thread.parent.and_then(|p| self.threads.iter_mut().find(|t| t.id == p)) {
            parent.children = parent.children.saturating_sub(1);
            for number in thread.pending {
                if !parent.pending.contains(&number) {
                    parent.pending.push(number);
                }
            }
        }
    }

    /// The steps that are still to come on a connection, nearest first.
    pub(crate) fn upcoming(&self, conn: &str) -> Vec<Arc<Leaf>> {
        let mut found = Vec::new();
        for thread in &self.threads {
            for step in &thread.steps {
                collect(step, conn, &mut found);
            }
        }
        found
    }

    /// The steps that are still to come on a connection in branches of a `par`.
    pub(crate) fn upcoming_in_branches(&self, conn: &str) -> Vec<Arc<Leaf>> {
        let mut found = Vec::new();
        for step in self.threads.iter().filter(|t| t.branch).flat_map(|t| &t.steps) {
            collect(step, conn, &mut found);
        }
        found
    }

    /// The expectations on a connection that could become due without another act of the harness, besides those
    /// that wait on it already and what comes behind them.
    pub(crate) fn due_without_act(&self, conn: &str) -> Vec<Arc<Leaf>> {
        let mut found = Vec::new();
        let waits_on =
            |n: &usize| self.expectations.get(*n).is_some_and(|e| e.state == State::Waiting && e.leaf.conn == conn);
        for thread in self.threads.iter().filter(|t| !t.pending.iter().any(waits_on)) {
            let _open = thread.steps.iter().all(|step| collect_until_act(step, conn, &mut found));
        }
        for expectation in self.expectations.iter().filter(|e| e.state == State::Waiting && e.leaf.conn != conn) {
            if let Some((_, rest)) = &expectation.group {
                let _open = rest.iter().all(|step| collect_until_act(step, conn, &mut found));
            }
        }
        found
    }
}

/// Whether a branch began within another.
fn is_within(parents: &BTreeMap<usize, usize>, mut branch: usize, outer: usize) -> bool {
    while let Some(parent) = parents.get(&branch) {
        if *parent == outer {
            return true;
        }
        branch = *parent;
    }
    false
}

/// The last pending expectations on a connection: those behind which no other waits.
fn same_connection(all: &[Expectation], pending: &[usize], conn: &str) -> Vec<usize> {
    let on_it = |n: &usize| all.get(*n).is_some_and(|e| e.leaf.conn == conn);
    let mine: Vec<usize> = pending.iter().copied().filter(on_it).collect();
    let followed = |n: &usize| mine.iter().any(|m| all.get(*m).is_some_and(|e| e.after.contains(n)));
    // A sequence, the common case, ends with the latest.
    match mine.last() {
        Some(last) if !followed(last) && mine.iter().rev().skip(1).all(&followed) => vec![*last],
        _ => mine.iter().copied().filter(|n| !followed(n)).collect(),
    }
}

fn collect(step: &Step, conn: &str, found: &mut Vec<Arc<Leaf>>) {
    match step {
        Step::Act(leaf) | Step::Expect(leaf) => {
            if leaf.conn == conn {
                found.push(Arc::clone(leaf));
            }
        }
        Step::Par(branches) | Step::Alt(branches) => branches.iter().flatten().for_each(|s| collect(s, conn, found)),
        Step::Opt(branch) => branch.iter().for_each(|s| collect(s, conn, found)),
        Step::Until(until) => until.body.iter().for_each(|s| collect(s, conn, found)),
    }
}

/// Whether the walk may go on behind `step`.
fn collect_until_act(step: &Step, conn: &str, found: &mut Vec<Arc<Leaf>>) -> bool {
    match step {
        Step::Act(_) | Step::Until(_) => false,
        Step::Expect(leaf) => {
            if leaf.conn == conn {
                found.push(Arc::clone(leaf));
            }
            true
        }
        Step::Par(branches) | Step::Alt(branches) => {
            let mut open = true;
            for branch in branches {
                open &= branch.iter().all(|s| collect_until_act(s, conn, found));
            }
            open
        }
        Step::Opt(branch) => {
            let _inner = branch.iter().all(|s| collect_until_act(s, conn, found));
            true
        }
    }
}

fn opens_with_act(branch: &[Step]) -> bool {
    matches!(branch.first(), Some(Step::Act(leaf)) if !leaf.is_note())
}

/// Whether an act answers a line, so that its turn depends on other branches.
fn is_answer(leaf: &Leaf) -> bool {
    matches!(&leaf.what, LeafKind::Frame(Frame { what: What::Message(m), .. }) if m.kind == Kind::MsgRes)
}
