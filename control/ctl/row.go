package ctl

import (
	"fmt"
	"strings"

	"github.com/waypost/waypost/control/registry"
)

// columns returns the titles of the columns after the key.
func columns(kind registry.Kind) []string {
	switch kind {
	case registry.KindSite:
		return []string{"STATE", "ACTIVE", "PRIVATE", "ADMINS", "REASON"}
	case registry.KindHost:
		return []string{"STATE", "ACTIVE", "COUNTRY", "MBIT/S", "PRIVATE", "CARRIES", "REASON"}
	case registry.KindCategory:
		return []string{"PATH", "PRODUCT", "ORIGIN"}
	case registry.KindProduct:
		return []string{"PUBLIC", "VERSIONS"}
	case registry.KindRepository:
		return []string{"PATH", "CATEGORY", "REDIRECTED TO", "DISABLED"}
	case registry.KindRelease:
		return []string{"LIFT AT", "PATHS"}
	case registry.KindOverride:
		return []string{"NETBLOCK", "COUNTRY", "CONTINENT", "EMBARGOED"}
	case registry.KindUser:
		return []string{"MAIL", "ADMIN", "DISABLED"}
	case registry.KindToken:
		return []string{"SPEAKS FOR", "SCOPES", "EXPIRES"}
	}
	return nil
}

// row returns what stands in the columns.
func row(o registry.Object) []string {
	switch o := o.(type) {
	case *registry.Site:
		return []string{string(o.State), yes(o.On()), yes(o.Private), strings.Join(o.Admins, ", "), o.Reason}
	case *registry.Host:
		var carries []string
		for _, c := range o.Carries {
			carries = append(carries, c.Category)
		}
		return []string{string(o.State), yes(o.On()), o.Country, fmt.Sprint(o.Bandwidth), yes(o.Private), strings.Join(carries, ", "), o.Reason}
	case *registry.Category:
		return []string{o.Path, o.Product, o.Origin}
	case *registry.Product:
		var versions []string
		for _, v := range o.Versions {
			versions = append(versions, v.Name)
		}
		return []string{yes(o.Public), strings.Join(versions, ", ")}
	case *registry.Repository:
		return []string{o.Path, o.Category, o.RedirectTo, yes(o.Disabled)}
	case *registry.Release:
		return []string{when(o.LiftAt), strings.Join(o.Paths, ", ")}
	case *registry.Override:
		return []string{o.Netblock, o.Country, o.Continent, yes(o.Embargoed)}
	case *registry.User:
		return []string{o.Mail, yes(o.Admin), yes(o.Disabled)}
	case *registry.Token:
		return []string{speaksFor(o), strings.Trim(fmt.Sprint(o.Scopes), "[]"), when(o.Expires)}
	}
	return nil
}

func speaksFor(t *registry.Token) string {
	switch {
	case t.User != "":
		return "user " + t.User
	case t.Host != "":
		return "host " + t.Host
	}
	return "edge " + t.Edge
}
