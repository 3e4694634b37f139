//! Every message, with its placeholders.

use fluent_bundle::FluentValue;
use serde::Deserialize;

use super::{List, Say, Value, words};
use crate::{domain::DomainName, language::Language};

/// An enum whose variants are messages: the text before the arrow is the message in Fluent's files.
macro_rules! messages {
    ($(
        $(#[$attribute:meta])*
        $visibility:vis enum $name:ident {
            $($id:literal => $variant:ident $({ $($part:ident: $of:ty),* $(,)? })?,)*
        }
    )*) => {$(
        $(#[$attribute])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        $visibility enum $name {
            $($variant $({ $($part: $of),* })?),*
        }

        impl Say for $name {
            fn say(&self, language: Language) -> FluentValue<'static> {
                match self {
                    $(Self::$variant $({ $($part),* })? => words(
                        language,
                        $id,
                        [$($((stringify!($part), $part.say(language))),*)?],
                    ),)*
                }
            }
        }

        #[cfg(test)]
        impl super::tests::Samples for $name {
            fn samples(depth: usize) -> Vec<Self> {
                use super::tests::{Parts, each};
                let mut all = Vec::new();
                $(if depth < super::tests::DEEPEST || all.is_empty() {
                    all.extend(each(depth, |_parts: &mut Parts| {
                        Self::$variant $({ $($part: _parts.next()),* })?
                    }));
                })*
                all
            }
        }
    )*

        /// Each message with its placeholders.
        #[cfg(test)]
        pub(super) const MESSAGES: &[(&str, &[&str])] = &[
            $($(($id, &[$($(stringify!($part)),*)?]),)*)*
        ];
    };
}

messages! {
    /// What the customer's page says besides.
    pub enum PageWord {
        "page-skip" => Skip,
        "page-steps" => Steps,
        "page-step-host" => StepHost,
        "page-step-dns" => StepDns,
        "page-step-certificate" => StepCertificate,
        "page-step-site" => StepSite,
        "page-done" => Done,
        "page-in-progress" => InProgress,
        "page-needs-attention" => NeedsAttention,
        "page-not-yet" => NotYet,
        "page-setting-up" => SettingUp { name: DomainName },
        "page-gone" => Gone { name: DomainName },
        "page-check-again" => CheckAgain,
        "page-checked" => Checked,
        "page-checking" => Checking,
        "page-too-soon" => TooSoon,
        "page-last-checked" => LastChecked { time: String },
        "page-not-checked" => NotChecked,
        "page-expired" => Expired,
        "page-expired-do" => ExpiredDo,
        "page-incomplete" => Incomplete,
        "page-incomplete-do" => IncompleteDo,
        "page-not-now" => NotNow,
        "page-not-now-do" => NotNowDo,
    }

    /// A whole sentence, or two that belong together.
    pub(in crate::checks) enum Sentence {
        // How it stands.
        "works" => Works { name: DomainName },
        "works-but-ipv6" => WorksButIpv6 { name: DomainName },
        "works-but-not-renewed" => WorksButNotRenewed { name: DomainName },
        "works-but-not-always" => WorksButNotAlways { name: DomainName },
        "still-checking" => StillChecking { name: DomainName },
        "setting-up" => SettingUp { name: DomainName },
        "renewing-certificate" => RenewingCertificate { name: DomainName },
        "issuing-certificate" => IssuingCertificate { name: DomainName },
        "fixing-certificate" => FixingCertificate { name: DomainName },
        "checking-certificate" => CheckingCertificate { name: DomainName },
        "fixing-one-server" => FixingOneServer { name: DomainName, address: String },
        "fixing-target" => FixingTarget { name: DomainName, target: String },
        "switching-on" => SwitchingOn { name: DomainName },
        "taken-down" => TakenDown { name: DomainName },
        "maintenance" => Maintenance { name: DomainName },
        "suspended" => Suspended { name: DomainName },
        "server-fails" => ServerFails { name: DomainName },
        "spreading" => Spreading { name: DomainName },
        "broken" => Broken { name: DomainName, reason: Reason },
        "nobody-may-issue" => NobodyMayIssue { name: DomainName },
        // What to do.
        "log-in-and" => LogInAnd { log_in: LogIn, change: Change },
        "log-in-and-because" => LogInAndBecause { log_in: LogIn, change: Change, reason: Reason },
        "log-in-or-ask" => LogInOrAsk { log_in: LogIn, change: Change, request: Request },
        "log-in-or-ask-because" => LogInOrAskBecause {
            log_in: LogIn,
            change: Change,
            request: Request,
            reason: Reason,
        },
        "keeps-changing" => KeepsChanging { name: DomainName, change: Change },
        "switch-and" => SwitchAnd { host: String, switch: ProxySwitch, change: Change },
        "if-that-is-at" => IfThatIsAt { host: String, switch: ProxySwitch },
        "then-log-in-at" => ThenLogInAt { host: String, switch: ProxySwitch },
        "proxy-without-tls" => ProxyWithoutTls {
            host: String,
            name: DomainName,
            switch: ProxySwitch,
        },
        "register-first" => RegisterFirst { name: DomainName, registered: String, change: Change },
        "set-up-first" => SetUpFirst {
            name: DomainName,
            registered: String,
            suffix: String,
            change: Change,
        },
        "please" => Please { request: Request },
        "please-and-then" => PleaseAndThen { request: Request, change: Change },
        "please-because" => PleaseBecause { request: Request, reason: Reason },
        "please-or-because" => PleaseOrBecause { request: Request, change: Change, reason: Reason },
        // What follows.
        "hours" => Hours,
        "addresses-stay" => AddressesStay { count: usize, addresses: List<String> },
        "a-record-stays" => ARecordStays,
        "without-that" => WithoutThat { name: DomainName },
    }

    /// Where to log in: the beginning of a sentence.
    pub(in crate::checks) enum LogIn {
        "log-in-at" => At { provider: String },
        "log-in-where" => Where { zone: String },
    }

    /// What the reader changes, as an imperative.
    pub(in crate::checks) enum Change {
        "point" => Point { kind: &'static str, name: DomainName, target: Value<Target> },
        "add" => Add { kind: &'static str, name: DomainName, target: Value<Target> },
        "add-label" => AddLabel { label: String, zone: String, record: NewRecord },
        "add-beside-wildcard" => AddBesideWildcard {
            kind: &'static str,
            name: DomainName,
            target: Value<Target>,
            wildcard: String,
        },
        "replace-cname" => ReplaceCname { name: DomainName, to: String, record: NewRecord },
        "replace-any-cname" => ReplaceAnyCname { name: String, record: NewRecord },
        "replace-dname" => ReplaceDname {
            owner: String,
            to: String,
            kind: &'static str,
            name: DomainName,
            target: Value<Target>,
        },
        "replace-alias" => ReplaceAlias { record: NewRecord },
        "replace-several" => ReplaceSeveral {
            count: usize,
            kind: &'static str,
            name: DomainName,
            target: Value<Target>,
        },
        "remove" => Remove { records: Records, name: String },
        "and-remove" => AndRemove { change: Box<Change>, records: Records },
        "and-also" => AndAlso { first: Box<Change>, second: Box<Change> },
        "add-caa" => AddCaa { record: String, name: String },
        "add-own-caa" => AddOwnCaa { record: String, name: String },
        "remove-caa" => RemoveCaa { record: String, name: String },
        "remove-and-add-caa" => RemoveAndAddCaa { record: String, name: String, right: String },
        "replace-caa" => ReplaceCaa { record: String, name: String, right: String },
    }

    /// What the reader asks somebody else for, as an imperative.
    pub(in crate::checks) enum Request {
        "ask-to-add-caa" => AddCaa { whom: Whom, record: String, name: String },
        "ask-to-remove-caa" => RemoveCaa { whom: Whom, record: String, name: String },
        "ask-to-remove-and-add-caa" => RemoveAndAddCaa {
            whom: Whom,
            record: String,
            name: String,
            right: String,
        },
        "ask-to-replace-caa" => ReplaceCaa {
            whom: Whom,
            record: String,
            name: String,
            right: String,
        },
        "ask-to-answer-caa" => AnswerCaa { whom: Whom, name: String },
        "ask-to-remove" => Remove { whom: Whom, records: Records },
        "ask-to-correct-ds" => CorrectDs { whom: Whom, delegation: Delegation },
        "ask-to-agree" => Agree {
            whom: Whom,
            kind: &'static str,
            name: DomainName,
            target: Value<Target>,
        },
        "ask-to-shorten" => Shorten { whom: Whom, change: Change },
        "ask-to-shorten-to" => ShortenTo {
            whom: Whom,
            kind: &'static str,
            name: DomainName,
            target: Value<Target>,
        },
        "ask-to-answer" => Answer { whom: Whom, zone: String, delegation: Delegation },
    }

    pub(in crate::checks) enum Whom {
        "provider" => Provider { provider: String },
        "provider-of" => ProviderOf { zone: String },
        "its-provider" => ItsProvider,
        "owner-of" => OwnerOf { name: String },
    }

    /// Where a zone is delegated.
    pub(in crate::checks) enum Delegation {
        "in-parent" => Parent { zone: String },
        "at-registrar" => Registrar,
    }

    /// Why, as a statement.
    pub(in crate::checks) enum Reason {
        "nobody-allowed" => NobodyAllowed { name: String },
        "only-allowed" => OnlyAllowed { name: String, authorities: List<String> },
        "critical-unknown" => CriticalUnknown,
        "caa-unreachable" => CaaUnreachable,
        "caa-not-exact" => CaaNotExact,
        "caa-malformed" => CaaMalformed { parameter: String },
        "caa-one-account" => CaaOneAccount,
        "caa-other-method" => CaaOtherMethod { method: &'static str },
        "caa-restricted" => CaaRestricted,
        "cname-loop" => CnameLoop { path: String },
        "cname-chain" => CnameChain { count: usize },
        "cname-chain-or-more" => CnameChainOrMore { count: usize },
        "long-for-some" => LongForSome { count: usize },
        "is-an-address" => IsAnAddress { target: String },
        "is-missing" => IsMissing { target: String },
        "is-without-address" => IsWithoutAddress { target: String },
        "zone-fails" => ZoneFails { zone: String },
        "zone-signatures" => ZoneSignatures { zone: String },
        "leads-on" => LeadsOn { target: String, reason: Box<Reason> },
        "servers-fail" => ServersFail,
        "servers-fail-here" => ServersFailHere { zone: String },
        "signatures-wrong" => SignaturesWrong,
        "servers-disagree" => ServersDisagree { answers: List<Says> },
        "old-answers" => OldAnswers { answers: List<Says> },
    }

    /// One server's answer.
    pub(in crate::checks) enum Says {
        "says" => Records { server: String, answer: String },
        "says-no-name" => NoName { server: String },
        "says-no-address" => NoAddress { server: String },
        "says-failure" => Failure { server: String },
    }

    /// How the owner of a domain turns a proxy off.
    #[derive(Copy, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub(in crate::checks) enum ProxySwitch {
        "dns-only" => DnsOnly,
        "firewall" => Firewall,
        "protection" => Protection,
        "service" => Service,
        "distribution" => Distribution,
        "pull-zone" => PullZone,
    }

    /// Where a record points, if not at an address or a name.
    pub(in crate::checks) enum Target {
        "any-address-in" => AnyAddressIn { network: String },
        "our-address" => OurAddress,
    }

    pub(in crate::checks) enum NewRecord {
        "new-address" => Address { kind: &'static str, target: Value<Target> },
        "new-cname" => Cname { host: String },
    }

    /// Records that are to be removed.
    pub(in crate::checks) enum Records {
        "records" => OfOneKind { kind: &'static str, count: usize, addresses: List<Value<AddressOf>> },
        "records-of-both" => OfBoth { first: Box<Records>, second: Box<Records> },
    }

    pub(in crate::checks) enum AddressOf {
        "address-of" => AddressOf { address: String, place: Value<Place> },
    }

    /// Whose an address is, if not simply a host's.
    pub(in crate::checks) enum Place {
        "forwarding" => Forwarding { provider: String },
        "website-builder" => WebsiteBuilder { provider: String },
        "parking" => Parking { provider: String },
        "forwarding-or-parking" => ForwardingOrParking { provider: String },
        "unreachable" => Unreachable,
    }
}
