// Package registry is what a control plane knows of a mirror network: sites
// and their hosts, categories of content, repositories, releases, and the
// people and programs that may change them. It has the words and the rules;
// control/store keeps them, control/web speaks of them.
//
// An [Object] is one thing of the registry, a struct with yaml and json tags
// whose doc comments are the documentation of the API. Each has a [Kind] and a
// name, unique in its kind; objects refer to one another by name:
//
//	Site "uni-x" ◄── Host "uni-x/de1" ──► Category "os" ◄── Repository "os-43+x86_64"
//
// Objects are plain values, handled by pointers. [Object.Check] finds what is
// wrong with one by itself; a [World] is all objects together, and
// [World.Check] finds what is wrong between them. Text has one spelling: a
// country in capitals, paths and URLs without a slash at their end, so that
// equal things are equal strings; who reads foreign text brings it into form.
//
// What a scan, a crawl or a check-in sees is not an object: a [Tree] is what a
// master holds, a [Listing] what a host holds of it. People change objects, and
// every change is in an audit log; machines replace trees and listings.
package registry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/waypost/waypost/edge/snapshot"
)

// A Kind is a kind of object.
type Kind string

// The kinds.
const (
	KindSite       Kind = "site"
	KindHost       Kind = "host"
	KindCategory   Kind = "category"
	KindProduct    Kind = "product"
	KindRepository Kind = "repository"
	KindRelease    Kind = "release"
	KindOverride   Kind = "override"
	KindUser       Kind = "user"
	KindToken      Kind = "token"
)

// Kinds returns all kinds: what is referred to stands before what refers to it.
func Kinds() []Kind {
	return []Kind{
		KindUser, KindSite, KindProduct, KindCategory, KindHost, KindRepository, KindRelease, KindOverride, KindToken,
	}
}

// An Object is one thing of the registry. Whoever reads one from a [World] or a
// store shares it with others and must not change it.
type Object interface {
	// Kind returns the object's kind.
	Kind() Kind

	// Key returns the object's name, unique in its kind.
	Key() string

	// Check returns all that is wrong with the object by itself.
	Check() snapshot.Problems

	// Redacted returns the object without its secrets, as pages, the API and the
	// audit log may show it. It is the object itself if that has none.
	Redacted() Object
}

// New returns an empty object of a kind; nil if there is no such kind.
func New(kind Kind) Object {
	switch kind {
	case KindSite:
		return &Site{}
	case KindHost:
		return &Host{}
	case KindCategory:
		return &Category{}
	case KindProduct:
		return &Product{}
	case KindRepository:
		return &Repository{}
	case KindRelease:
		return &Release{}
	case KindOverride:
		return &Override{}
	case KindUser:
		return &User{}
	case KindToken:
		return &Token{}
	}
	return nil
}

// Decode reads an object of a kind from JSON. A key that it does not know is an
// error. Call [Object.Check] afterwards.
func Decode(kind Kind, data []byte) (Object, error) {
	object := New(kind)
	if object == nil {
		return nil, fmt.Errorf("decoding an object: there is no kind %q", kind)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(object); err != nil {
		return nil, fmt.Errorf("decoding a %s: %w", kind, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("decoding a %s: want one JSON object, got more after it", kind)
	}
	return object, nil
}

// Name returns an object's kind and key as problems and logs name it: host uni-x/de1.
func Name(o Object) string { return string(o.Kind()) + " " + o.Key() }

// hidden stands for a secret where objects are shown.
const hidden = "(secret)"

// hide returns what is shown of a secret.
func hide(secret string) string {
	if secret == "" {
		return ""
	}
	return hidden
}

// A State is what became of an application.
type State string

// The states of sites and hosts. Only approved ones are published.
const (
	Pending  State = "pending"
	Approved State = "approved"
	Rejected State = "rejected"
)

// Activity is whether something takes part. It does only if both its
// administrators and ours say so.
type Activity struct {
	// AdminActive is the word of those who run this control plane.
	AdminActive bool `json:"admin_active" yaml:"admin_active"`

	// UserActive is the word of those who run the mirror.
	UserActive bool `json:"user_active" yaml:"user_active"`

	// Reason says why it does not take part.
	Reason string `json:"reason,omitempty" yaml:"reason"`
}

// On reports whether both say that it takes part.
func (a Activity) On() bool { return a.AdminActive && a.UserActive }

// Published reports whether something in this state may be published at all.
func (s State) Published() bool { return s == Approved }

// key joins the parts of a key.
func key(separator string, parts ...string) string { return strings.Join(parts, separator) }
