//! The field paths that a scan looks for, merged into one tree.

use crate::record::FieldValue;
use crate::record::PathStep;

/// The field paths that a scan looks for, merged where they share steps.
#[derive(Clone, Debug)]
pub struct PathTrie {
    nodes: Vec<Node>,
}

/// One path or prefix of paths.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    /// Wanted members, each with its node.
    pub(super) members: Vec<(Box<[u8]>, usize)>,
    /// Wanted items, each with its node.
    pub(super) items: Vec<(usize, usize)>,
    /// Slots that this very path fills.
    pub(super) slots: Vec<usize>,
    /// Slots that this path and all longer ones fill.
    slots_below: Vec<usize>,
}

/// The node of the whole document.
pub(super) const ROOT: usize = 0;

impl PathTrie {
    /// Returns the trie of `paths`; the value at path *i* goes to slot *i*.
    pub fn new(paths: &[Vec<PathStep>]) -> Self {
        Self::with_slots(paths.iter().map(Vec::as_slice).enumerate())
    }

    /// Returns the trie of paths that each name the slot that their value goes to.
    pub fn with_slots<'p>(paths: impl IntoIterator<Item = (usize, &'p [PathStep])>) -> Self {
        let mut trie = Self {
            nodes: vec![Node::default()],
        };
        for (slot, steps) in paths {
            trie.insert(slot, steps);
        }
        trie
    }

    /// Returns whether there is no path.
    pub fn is_empty(&self) -> bool {
        self.slots().is_empty()
    }

    /// Returns the slots that a scan fills.
    pub fn slots(&self) -> &[usize] {
        let root = self.node(ROOT);
        &root.slots_below
    }

    /// Puts `value` into every slot that a scan fills.
    pub fn fill<'a>(&self, value: FieldValue<'a>, out: &mut [FieldValue<'a>]) {
        fill(self.slots(), value, out);
    }

    pub(super) fn node_count(&self) -> usize {
        self.nodes.len()
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "node numbers come from this trie's own nodes, which are never removed"
    )]
    pub(super) fn node(&self, number: usize) -> &Node {
        &self.nodes[number]
    }

    fn insert(&mut self, slot: usize, steps: &[PathStep]) {
        let mut number = ROOT;
        self.node_mut(number).slots_below.push(slot);
        for step in steps {
            number = self.child_or_new(number, step);
            self.node_mut(number).slots_below.push(slot);
        }
        self.node_mut(number).slots.push(slot);
    }

    fn child_or_new(&mut self, parent: usize, step: &PathStep) -> usize {
        let node = self.node(parent);
        let known = match step {
            PathStep::Member(name) => node.member(name.as_bytes()),
            PathStep::Item(index) => node.item(*index),
        };
        known.unwrap_or_else(|| {
            let number = self.nodes.len();
            self.nodes.push(Node::default());
            let node = self.node_mut(parent);
            match step {
                PathStep::Member(name) => node.members.push((name.as_bytes().into(), number)),
                PathStep::Item(index) => node.items.push((*index, number)),
            }
            number
        })
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "node numbers come from this trie's own nodes, which are never removed"
    )]
    fn node_mut(&mut self, number: usize) -> &mut Node {
        &mut self.nodes[number]
    }
}

impl Node {
    /// Returns the node of the member that is named so.
    #[inline]
    pub(super) fn member(&self, name: &[u8]) -> Option<usize> {
        self.members
            .iter()
            .find(|(known, _)| **known == *name)
            .map(|&(_, child)| child)
    }

    /// Returns the node of the item at this place.
    pub(super) fn item(&self, index: usize) -> Option<usize> {
        self.items
            .iter()
            .find(|&&(known, _)| known == index)
            .map(|&(_, child)| child)
    }

    /// Returns whether the path ends here for some slot.
    pub(super) fn is_wanted(&self) -> bool {
        !self.slots.is_empty()
    }

    /// Puts the value at this very path into its slots.
    pub(super) fn put<'a>(&self, value: FieldValue<'a>, out: &mut [FieldValue<'a>]) {
        fill(&self.slots, value, out);
    }

    /// Marks this path and all longer ones as not decodable.
    pub(super) fn mark_repeated(&self, out: &mut [FieldValue<'_>]) {
        fill(&self.slots_below, FieldValue::Undecodable, out);
    }
}

fn fill<'a>(slots: &[usize], value: FieldValue<'a>, out: &mut [FieldValue<'a>]) {
    for &slot in slots {
        if let Some(place) = out.get_mut(slot) {
            *place = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_share_steps_share_nodes() {
        let member = |name: &str| PathStep::Member(name.into());
        let trie = PathTrie::new(&[
            vec![member("a"), member("b")],
            vec![member("a"), PathStep::Item(2)],
            vec![member("a")],
            vec![member("a"), member("b")],
        ]);
        assert_eq!(trie.node_count(), 4);
        assert_eq!(trie.slots(), [0, 1, 2, 3]);
        let a = trie.node(trie.node(ROOT).member(b"a").unwrap());
        assert_eq!(a.slots, [2]);
        assert_eq!(trie.node(a.member(b"b").unwrap()).slots, [0, 3]);
        assert!(trie.node(a.item(2).unwrap()).is_wanted());
        assert_eq!(a.item(1), None);
    }
}
