//! Many domain names in one piece of memory: a million of them cost no allocation each.

use std::fmt;

use crate::domain::DomainRef;

/// Domain names in the order in which they were pushed, each with a value.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct NameList<V> {
    text: String,
    /// Where each name ends in `text`, in half of the memory of a `usize`.
    ends: Vec<u32>,
    values: Vec<V>,
}

/// Domain names in alphabetical order, each once, with a value.
#[derive(Clone, PartialEq, Eq)]
pub struct NameMap<V>(NameList<V>);

/// Domain names in alphabetical order, each once.
pub type NameSet = NameMap<()>;

impl<V> NameList<V> {
    pub const fn new() -> Self {
        Self { text: String::new(), ends: Vec::new(), values: Vec::new() }
    }

    #[expect(clippy::expect_used)]
    pub fn push(&mut self, name: DomainRef<'_>, value: V) {
        self.text.push_str(name.as_str());
        // The most names, by `wordpress.max_rows`, of the greatest length, each with a twin, are shorter.
        let end = u32::try_from(self.text.len()).expect("names of less than 4 GiB");
        self.ends.push(end);
        self.values.push(value);
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (DomainRef<'_>, &V)> + Clone {
        let mut start = 0;
        let names = self.ends.iter().map(move |&end| {
            let name = self.slice(start, end);
            start = end;
            name
        });
        names.zip(&self.values)
    }

    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.values.iter_mut()
    }

    /// Without the names that `keep` does not want.
    pub fn retain(self, keep: impl Fn(DomainRef<'_>) -> bool) -> Self
    where
        V: Copy,
    {
        if self.iter().all(|(name, _)| keep(name)) {
            return self;
        }
        self.iter().filter(|(name, _)| keep(*name)).map(|(name, value)| (name, *value)).collect()
    }

    pub fn without_values(self) -> NameList<()> {
        NameList { text: self.text, values: vec![(); self.ends.len()], ends: self.ends }
    }

    /// The names in alphabetical order. Of a name that was pushed several times, the first one counts.
    pub fn sorted(self) -> NameMap<V>
    where
        V: Copy,
    {
        let is_sorted =
            self.iter().zip(self.iter().skip(1)).all(|((one, _), (next, _))| one < next);
        if is_sorted {
            return NameMap(self);
        }
        let mut order: Vec<(u64, usize)> = (0..self.len()).map(|index| (0, index)).collect();
        self.sort(&mut order, 0);
        let mut sorted = Self {
            text: String::with_capacity(self.text.len()),
            ends: Vec::with_capacity(self.len()),
            values: Vec::with_capacity(self.len()),
        };
        let mut last = None;
        for (_, index) in order {
            let Some((name, value)) = self.get(index) else { continue };
            if last != Some(name) {
                sorted.push(name, *value);
            }
            last = Some(name);
        }
        NameMap(sorted)
    }

    /// Sorts names that agree in the bytes before `depth`: by the first eight in which they differ, then
    /// those that agree in these, too, by further ones. Names that are the same stay in the order of their
    /// indices.
    fn sort(&self, order: &mut [(u64, usize)], depth: usize) {
        let depth = depth + self.shared(order, depth);
        for (key, index) in &mut *order {
            *key = self.get(*index).map_or(0, |(name, _)| eight_bytes(name, depth));
        }
        order.sort_unstable();
        for run in order.chunk_by_mut(|one, next| one.0 == next.0) {
            // A name has no zero byte: where there is one, it has ended, and so have all of the run.
            let has_ended = run.first().is_none_or(|(key, _)| key & 0xff == 0);
            if run.len() > 1 && !has_ended {
                self.sort(run, depth + 8);
            }
        }
    }

    /// How many bytes from `depth` on all of these names have in common.
    fn shared(&self, order: &[(u64, usize)], depth: usize) -> usize {
        let mut rests = order.iter().map(|(_, index)| {
            let name = self.get(*index).map_or("", |(name, _)| name.as_str());
            name.as_bytes().get(depth..).unwrap_or_default()
        });
        let Some(first) = rests.next() else { return 0 };
        let same = |most: usize, rest: &[u8]| {
            let pairs = first.iter().zip(rest).take(most);
            Some(pairs.take_while(|(one, other)| one == other).count()).filter(|same| *same > 0)
        };
        rests.try_fold(first.len(), same).unwrap_or(0)
    }

    pub fn get(&self, index: usize) -> Option<(DomainRef<'_>, &V)> {
        let start =
            index.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        let end = *self.ends.get(index)?;
        Some((self.slice(start, end), self.values.get(index)?))
    }

    fn slice(&self, start: u32, end: u32) -> DomainRef<'_> {
        // Names were pushed at these bounds, one after the other.
        DomainRef::trusted(self.text.get(start as usize..end as usize).unwrap_or_default())
    }
}

/// The bytes of a name from `depth` on as a number that sorts as they do; zeros after its end.
fn eight_bytes(name: DomainRef<'_>, depth: usize) -> u64 {
    let rest = name.as_str().as_bytes().get(depth..).unwrap_or_default();
    if let Some(bytes) = rest.first_chunk() {
        return u64::from_be_bytes(*bytes);
    }
    let mut bytes = [0; 8];
    for (byte, from) in bytes.iter_mut().zip(rest) {
        *byte = *from;
    }
    u64::from_be_bytes(bytes)
}

impl<V> NameMap<V> {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = (DomainRef<'_>, &V)> + Clone {
        self.0.iter()
    }

    pub fn get(&self, name: &str) -> Option<&V> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            let (found, value) = self.0.get(middle)?;
            match found.as_str().cmp(name) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(value),
            }
        }
        None
    }

    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The same with `changes`, which are in alphabetical order: a new value, or none to drop the name.
    pub fn merged<'a>(self, changes: impl Iterator<Item = (DomainRef<'a>, Option<V>)>) -> Self
    where
        V: Copy,
    {
        let mut merged = NameList::new();
        let mut old = self.iter().peekable();
        for (name, change) in changes {
            while let Some((before, value)) = old.next_if(|(before, _)| *before < name) {
                merged.push(before, *value);
            }
            old.next_if(|(same, _)| *same == name);
            if let Some(value) = change {
                merged.push(name, value);
            }
        }
        old.for_each(|(name, value)| merged.push(name, *value));
        Self(merged)
    }
}

impl<V> Default for NameList<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V> Default for NameMap<V> {
    fn default() -> Self {
        Self(NameList::new())
    }
}

impl<'a, V> Extend<(DomainRef<'a>, V)> for NameList<V> {
    fn extend<I: IntoIterator<Item = (DomainRef<'a>, V)>>(&mut self, names: I) {
        names.into_iter().for_each(|(name, value)| self.push(name, value));
    }
}

impl<'a, V> FromIterator<(DomainRef<'a>, V)> for NameList<V> {
    fn from_iter<I: IntoIterator<Item = (DomainRef<'a>, V)>>(names: I) -> Self {
        let mut list = Self::default();
        list.extend(names);
        list
    }
}

impl<'a, V: Copy> FromIterator<(DomainRef<'a>, V)> for NameMap<V> {
    fn from_iter<I: IntoIterator<Item = (DomainRef<'a>, V)>>(names: I) -> Self {
        names.into_iter().collect::<NameList<V>>().sorted()
    }
}

impl<V: fmt::Debug> fmt::Debug for NameList<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<V: fmt::Debug> fmt::Debug for NameMap<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::DomainName;

    /// Names that share long beginnings, or are each other's beginning.
    fn name() -> impl Strategy<Value = DomainName> {
        let label = prop_oneof!["[ab]{1,20}", Just("a".repeat(40)), "[a-z0-9]{1,9}"];
        let labels = prop::collection::vec(label, 1..4);
        labels.prop_map(|labels| format!("{}.example", labels.join(".")).parse().unwrap())
    }

    fn names() -> impl Strategy<Value = Vec<(DomainName, u32)>> {
        prop::collection::vec((name(), any::<u32>()), 0..200)
    }

    proptest! {
        #[test]
        fn a_map_is_what_a_tree_of_the_first_values_is(names in names(), other in name()) {
            let mut model = BTreeMap::new();
            for (name, value) in &names {
                model.entry(name.clone()).or_insert(*value);
            }
            let map: NameMap<u32> = names.iter().map(|(name, value)| (name.to_ref(), *value)).collect();
            prop_assert!(map.iter().eq(model.iter().map(|(name, value)| (name.to_ref(), value))));
            for name in names.iter().map(|(name, _)| name).chain([&other]) {
                prop_assert_eq!(map.get(name.as_str()), model.get(name));
            }
        }

        #[test]
        fn merging_is_inserting_and_removing(names in names(), changes in names()) {
            let mut model: BTreeMap<DomainName, u32> = names.iter().cloned().collect();
            let map: NameMap<u32> = model.iter().map(|(name, value)| (name.to_ref(), *value)).collect();
            let changes: BTreeMap<DomainName, Option<u32>> =
                changes.into_iter().map(|(name, value)| (name, (value % 3 > 0).then_some(value))).collect();
            for (name, change) in &changes {
                match change {
                    Some(value) => drop(model.insert(name.clone(), *value)),
                    None => drop(model.remove(name)),
                }
            }
            let merged = map.merged(changes.iter().map(|(name, change)| (name.to_ref(), *change)));
            prop_assert!(merged.iter().eq(model.iter().map(|(name, value)| (name.to_ref(), value))));
        }
    }
}
