//! The policies by name, and the one that was chosen: made from the list in `policy/mod.rs`.
//!
//! A match costs less than a call through a pointer and needs no allocation. The default's methods are compiled into
//! their callers, after one comparison; all others' are called, so that however many there are, and whatever they do,
//! the default costs the same.

/// From lines such as `/// What it is. "name" => file::Type,`: [`PolicyKind`](super::PolicyKind), and what
/// [`AnyPolicy`] is made of.
macro_rules! policies {
    ($($(#[$doc:meta])* $name:literal => $file:ident::$policy:ident,)+) => {
        $(pub use $file::$policy;)+

        /// The policies that can be chosen at boot.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[cfg_attr(feature = "tape", derive(serde::Serialize, serde::Deserialize))]
        pub enum PolicyKind {
            $($(#[$doc])* $policy,)+
        }

        impl PolicyKind {
            /// Every policy.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$policy),+];

            /// Every policy by its name.
            pub const NAMES: [(&'static str, Self); Self::ALL.len()] = [$(($name, Self::$policy)),+];

            /// Their names, as a user is told them.
            pub const LIST: &'static str = {
                let names = concat!($($name, ", "),+);
                names.split_at(names.len() - 2).0
            };

            /// The name on the boot command line and in reports.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$policy => $name,)+
                }
            }

            /// The policy of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|kind| kind.name() == name)
            }

            /// What it promises.
            pub const fn promise(self) -> Promise {
                match self {
                    $(Self::$policy => $policy::PROMISE,)+
                }
            }

            /// Whether it may have tasks wait for their time.
            pub(crate) const fn holds(self) -> bool {
                match self {
                    $(Self::$policy => $policy::HOLDS,)+
                }
            }

            /// The least that a task of normal weight or more runs in one go; 0 if that can't be said.
            pub(crate) fn shortest_slice(self, config: &Config) -> Nanos {
                match self {
                    $(Self::$policy => $policy::shortest_slice(config),)+
                }
            }
        }

        /// Any policy, called out of line.
        #[derive(Debug)]
        pub(crate) enum Listed {
            $($policy($policy),)+
        }

        impl Listed {
            fn new(config: &Config) -> Self {
                match config.policy {
                    $(PolicyKind::$policy => Self::$policy($policy::new(config)),)+
                }
            }
        }

        macro_rules! listed {
            ($self:ident, $policy_:ident => $call:expr) => {
                match $self {
                    $(Listed::$policy($policy_) => $call,)+
                }
            };
        }
    };
}

/// The methods of a policy that was chosen, as [`Policy`](super::Policy) has them: of `AnyPolicy` and of `Listed`.
macro_rules! methods {
    ($($(#[$inline:meta])* $name:ident($self:ident: $own:ty $(, $argument:ident: $type:ty)*) $(-> $result:ty)?;)+) => {
        #[allow(clippy::needless_arbitrary_self_type, reason = "the trait has the docs")]
        impl AnyPolicy {
            /// The policy of the settings, for a CPU on which nothing has run.
            pub(crate) fn new(config: &Config) -> Self {
                match config.policy {
                    PolicyKind::Fair => Self::Default(Fair::new(config)),
                    _ => Self::Other(Listed::new(config)),
                }
            }

            $($(#[$inline])*
            pub(crate) fn $name($self: $own $(, $argument: $type)*) $(-> $result)? {
                match $self {
                    Self::Default(policy) => policy.$name($($argument),*),
                    Self::Other(policy) => policy.$name($($argument),*),
                }
            })+
        }

        #[allow(clippy::needless_arbitrary_self_type, reason = "a list of methods is easier to read so")]
        impl Listed {
            $(#[inline(never)]
            fn $name($self: $own $(, $argument: $type)*) $(-> $result)? {
                listed!($self, policy => policy.$name($($argument),*))
            })+
        }
    };
}

pub(super) use {methods, policies};
