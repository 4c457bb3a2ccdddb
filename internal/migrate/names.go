package migrate

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// mostName is how long a name of weir's may be, with room for a number.
const mostName = 90

// clean makes a name that weir takes: those of virtual hosts hold slashes, and a name cannot.
func clean(name string) string {
	name = strings.Map(func(r rune) rune {
		if r == '/' || unicode.IsControl(r) {
			return '-'
		}
		return r
	}, name)
	for len(name) > mostName {
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	return cmp.Or(name, "unnamed")
}

// cleanVHost is clean for a virtual host, as a part of a name.
func cleanVHost(vhost string) string {
	if vhost == "/" {
		return "default"
	}
	return clean(vhost)
}

// names are those that one block of the file has.
type names map[string]bool

// pick takes the first of some names that is free, or the last one with a number.
func (n names) pick(wanted ...string) string {
	for _, name := range wanted {
		if !n[name] {
			n[name] = true
			return name
		}
	}
	for i := 2; ; i++ {
		if name := fmt.Sprintf("%s-%d", wanted[len(wanted)-1], i); !n[name] {
			n[name] = true
			return name
		}
	}
}

// forVHost is pick for something of a virtual host: it keeps its name unless another virtual host has it, too.
func (n names) forVHost(name, vhost string) string {
	return n.pick(clean(name), clean(name+"-"+cleanVHost(vhost)))
}

// forms are the names that a broker may have, the shortest first.
func (b *broker) forms(site string) [][]string {
	host, port, _ := net.SplitHostPort(b.nodes[0])
	base := cmp.Or(b.base, host)
	if b.local {
		base, port = site, ""
	}
	vhost := cleanVHost(b.vhost)
	if b.vhost == "/" {
		vhost = ""
	}
	return [][]string{
		{base}, {base, vhost}, {base, port}, {base, b.username}, {base, vhost, b.username}, {base, port, vhost},
		{base, port, vhost, b.username},
	}
}

// name gives each broker the shortest name that tells it from all others.
func (b *brokers) name(site string) {
	groups := map[string][]*broker{}
	for _, one := range b.all {
		base := one.forms(site)[0][0]
		groups[base] = append(groups[base], one)
	}
	taken := names{}
	for _, one := range b.all {
		forms := one.forms(site)
		group := groups[forms[0][0]]
		form := 0
		for form < len(forms)-1 && !distinct(group, site, form) {
			form++
		}
		one.name = taken.pick(joined(forms[form]))
	}
	slices.SortFunc(b.all, func(x, y *broker) int { return cmp.Compare(x.name, y.name) })
	variables := names{}
	for n, one := range b.all {
		switch same := slices.IndexFunc(b.all[:n], one.sharesUser); {
		case one.username == "":
		case same >= 0:
			one.variable = b.all[same].variable
		default:
			one.variable = strings.ReplaceAll(variables.pick(variable(one.name)), "-", "_")
		}
	}
}

// sharesUser tells whether two brokers are one cluster with one user, who has one password.
func (b *broker) sharesUser(other *broker) bool {
	share := func(node string) bool { return slices.Contains(other.nodes, node) }
	return b.username == other.username && b.base == other.base && slices.ContainsFunc(b.nodes, share)
}

// tell writes the names where brokers are referred to.
func (b *brokers) tell() {
	for _, one := range b.all {
		for _, r := range one.references {
			r.Value = one.name
		}
	}
}

// distinct tells whether a form of their names tells some brokers apart.
func distinct(group []*broker, site string, form int) bool {
	seen := map[string]bool{}
	for _, b := range group {
		seen[joined(b.forms(site)[form])] = true
	}
	return len(seen) == len(group)
}

func joined(parts []string) string {
	parts = slices.DeleteFunc(slices.Clone(parts), func(p string) bool { return p == "" })
	return clean(strings.Join(parts, "-"))
}

// variable is the name of the environment variable for a broker's password.
func variable(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return unicode.ToUpper(r)
		}
		return '_'
	}, name)
	if unicode.IsDigit(rune(name[0])) {
		name = "BROKER_" + name
	}
	return name + "_PASSWORD"
}
